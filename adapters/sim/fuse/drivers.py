"""The driver of simulated processors, which can be unbound from a device and bound again.

/sys/bus/platform/drivers/remoteproc-sim/unbind and `bind` take the name of a platform device,
`remoteproc-sim.N`. To unbind the driver removes the processor: a running processor is stopped, and
files of it that are still open answer with an errno from then on.

Source: Linux 6.1 drivers/base/bus.c (bind_store, unbind_store), remoteproc_core.c (rproc_del).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from errno import EBUSY, ENODEV

from adapters.sim.fuse.nodes import Attribute, Binding, Directory, Link, Node
from adapters.sim.fuse.processor_files import attributes, debug_files
from adapters.sim.fuse.worker import ProcessorWorker

DRIVER = "bus/platform/drivers/remoteproc-sim"


class PlatformDevice:
    """One platform device, and its processor while the driver is bound."""

    def __init__(self, number: int, worker: ProcessorWorker) -> None:
        self.name = f"remoteproc-sim.{number}"
        self.processor = f"remoteproc{number}"
        self.path = f"devices/platform/{self.name}/remoteproc/{self.processor}"
        self.worker = worker
        self._binding: Binding | None = None
        self._attributes: Mapping[str, Node] = {}
        self._probe()

    @property
    def bound(self) -> bool:
        """Whether the driver is bound."""
        return self._binding is not None

    def bind(self) -> None:
        """Bind the driver; the processor is in its first state then. Raises OSError: EBUSY."""
        self.worker.run(self._bind)

    def unbind(self) -> None:
        """Unbind the driver. Raises OSError: ENODEV."""
        self.worker.run(self._unbind)

    def _bind(self) -> None:
        if self._binding:
            raise OSError(EBUSY, "the driver is bound")
        self.worker.rproc.reset()
        self._probe()

    def _probe(self) -> None:
        binding = Binding()
        up = "../" * (self.path.count("/") + 1)
        self._attributes = {
            **_bound_to(binding, attributes(self.worker)),
            "device": Link(f"../../../{self.name}"),
            "subsystem": Link(f"{up}class/remoteproc"),
        }
        self._binding = binding

    def _unbind(self) -> None:
        if not self._binding:
            raise OSError(ENODEV, "no driver is bound")
        self._binding.ended = True
        self._binding = None
        self.worker.rproc.remove()

    def children(self) -> Mapping[str, Node]:
        """Return the content of the device's directory."""
        more: dict[str, Node] = {"subsystem": Link("../../../bus/platform")}
        if self._binding:
            ttys = self.worker.tty.devices() if self.worker.tty else {}
            here = Directory({self.processor: Directory({**self._attributes, **ttys})})
            more.update(driver=Link(f"../../../{DRIVER}"), remoteproc=here)
        return more

    def debug_files(self) -> Mapping[str, Node]:
        """Return the files of the processor in debugfs."""
        binding = self._binding
        return _bound_to(binding, debug_files(self.worker)) if binding else {}


def _bound_to(binding: Binding, nodes: Mapping[str, Node]) -> Mapping[str, Node]:
    for node in nodes.values():
        node.binding = binding
    return nodes


def driver_files(devices: Sequence[PlatformDevice]) -> Callable[[], Mapping[str, Node]]:
    """Return a function that lists the content of /sys/bus/platform/drivers/remoteproc-sim."""

    def named(data: bytes) -> PlatformDevice:
        name = data.partition(b"\0")[0].removesuffix(b"\n").decode("utf-8", "replace")
        for device in devices:
            if device.name == name:
                return device
        raise OSError(ENODEV, f"there is no device {name!r}")

    def files() -> Mapping[str, Node]:
        links: dict[str, Node] = {
            device.name: Link(f"../../../../devices/platform/{device.name}")
            for device in devices
            if device.bound
        }
        return {
            **links,
            "bind": Attribute(lambda: b"", lambda data: named(data).bind(), 0o200),
            "unbind": Attribute(lambda: b"", lambda data: named(data).unbind(), 0o200),
        }

    return files
