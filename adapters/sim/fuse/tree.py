"""Builds the whole tree below /sys for one board."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from adapters.sim.board_file import BoardSpec
from adapters.sim.fuse.coredumps import DevcoredumpClass
from adapters.sim.fuse.drivers import DRIVER, PlatformDevice, driver_files
from adapters.sim.fuse.fault_injection import control_files
from adapters.sim.fuse.kmsg import KmsgFile
from adapters.sim.fuse.logged_crashes import LoggingRemoteProc
from adapters.sim.fuse.nodes import Attribute, Children, Directory, Link, Node
from adapters.sim.fuse.rpmsg_tty import RpmsgTty
from adapters.sim.fuse.search import FirmwareSearch
from adapters.sim.fuse.worker import ProcessorWorker
from adapters.sim.kernel_log import BUS, VDEV
from adapters.sim.remoteproc import RemoteProc

TYPE_CHECKING = False  # a type that is there for type checkers only
if TYPE_CHECKING:
    from adapters.sim.kernel_log import Printk


def make_tree(
    board: BoardSpec, search: FirmwareSearch, interrupted: Callable[[], bool]
) -> Directory:
    """Return the directory /sys, and start a worker thread for each processor.

    `interrupted` returns whether the program that waits in this thread's request got a signal.
    """
    dumps = DevcoredumpClass()
    log = KmsgFile(interrupted)
    devices: list[PlatformDevice] = []
    ttys: dict[int, RpmsgTty] = {}
    control: dict[str, Node] = {"kmsg": log}
    for number, spec in enumerate(board.processors):
        kind = LoggingRemoteProc if spec.crashes == "logged" else RemoteProc
        rproc = kind(spec, search.find, _printk(log, number))
        if spec.mailbox:
            ttys[number] = RpmsgTty(len(ttys), number, rproc)
        worker = ProcessorWorker(rproc, interrupted, ttys.get(number))
        rproc.find = partial(search.find, abandoned=worker.abandoned)
        device = PlatformDevice(number, worker)
        rproc.before_recovery = partial(dumps.create, rproc, device.path)
        if isinstance(rproc, LoggingRemoteProc):
            text = f"K3 R5F rproc {spec.name} crashed"
            rproc.log_crash = partial(log.add, "platform", "remoteproc-sim", device.name, 3, text)
        devices.append(device)
        control[device.processor] = Directory(control_files(worker))
    platform = {device.name: Directory(device.children) for device in devices}
    path = Attribute(search.show, search.store)
    return Directory(
        {
            "class": Directory(
                {
                    "remoteproc": Directory(lambda: _links(devices)),
                    "devcoredump": Directory(dumps.links),
                    "tty": Directory(lambda: _tty_links(devices)),
                }
            ),
            "bus": _nested(DRIVER.removeprefix("bus/"), driver_files(devices)),
            "devices": Directory(
                {
                    "platform": Directory(platform),
                    "virtual": Directory({"devcoredump": Directory(dumps.devices)}),
                }
            ),
            "module": _nested("firmware_class/parameters", {"path": path}),
            "kernel": Directory(
                {
                    "debug": Directory(
                        {
                            "remoteproc": Directory(lambda: _debug(devices)),
                            "remoteproc-sim": Directory(lambda: {**control, **_terminals(devices)}),
                        },
                        0o700,
                    )
                }
            ),
        }
    )


def _printk(log: KmsgFile, number: int) -> Printk:
    """Return what logs messages of the processor with that number, and of its rpmsg devices."""
    virtio = f"virtio{number}"

    def printk(level: int, text: str, device: str = "") -> None:
        if device == BUS:
            log.add("virtio", BUS, virtio, level, text)
        elif device == VDEV:
            log.add("platform", VDEV, f"{VDEV}.{number}.auto", level, text.format(virtio))
        else:
            log.emit(f"remoteproc{number}", level, text)

    return printk


def _links(devices: Sequence[PlatformDevice]) -> dict[str, Node]:
    return {d.processor: Link(f"../../{d.path}") for d in devices if d.bound}


def _tty_links(devices: Sequence[PlatformDevice]) -> dict[str, Node]:
    found = [(d.path, d.worker.tty) for d in devices if d.worker.tty and d.worker.tty.terminal]
    return {t.name: Link(f"../../{path}/{t.device}/tty/{t.name}") for path, t in found}


def _terminals(devices: Sequence[PlatformDevice]) -> dict[str, Node]:
    found = [d.worker.tty for d in devices if d.worker.tty and d.worker.tty.terminal]
    return {tty.name: Link(tty.terminal) for tty in found}


def _debug(devices: Sequence[PlatformDevice]) -> dict[str, Node]:
    return {d.processor: Directory(d.debug_files) for d in devices if d.bound}


def _nested(path: str, children: Children) -> Directory:
    directory = Directory(children)
    for name in reversed(path.split("/")):
        directory = Directory({name: directory})
    return directory


def device_names(board: BoardSpec) -> Sequence[str]:
    """Return what the board has in /dev."""
    ttys = sum(spec.mailbox is not None for spec in board.processors)
    return ["kmsg", *(f"ttyRPMSG{number}" for number in range(ttys))]


def names(board: BoardSpec) -> Sequence[str]:
    """Return each processor as `remoteprocN NAME`."""
    return [f"remoteproc{n} {spec.name}" for n, spec in enumerate(board.processors)]
