"""The processors under /sys/class/remoteproc; implements domain.ports.Board."""

from __future__ import annotations

import os

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.policy import Policy
from adapters.sysfs.processor import SysfsProcessor, open_processor
from domain.annotations import ProcessorOptions
from domain.errors import InvalidRequest, NotFound, host_fault
from domain.processor import DELETED, ProcessorInfo, is_device

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.ports import Claim, OpenArgs

_CLASS = "sys/class/remoteproc"


class SysfsBoard:
    """The processors of the tree under `root`, `/` for the running kernel.

    `directory` is where firmware is published, `` for a directory that the kernel searches.
    `policies` have a processor's name or device as key; `default` is for all others.
    """

    def __init__(
        self,
        root: str = "/",
        directory: str = "",
        policies: Mapping[str, Policy] | None = None,
        default: Policy | None = None,
    ) -> None:
        self._root = root
        self._prefix = root.rstrip("/")
        self._directory = directory
        self._policies = policies or {}
        self._default = default or Policy()

    def processors(self) -> list[ProcessorInfo]:
        """List the processors by number; none if the kernel has no remoteproc."""
        path = f"{self._prefix}/{_CLASS}"
        try:
            devices = [name for name in os.listdir(path) if is_device(name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise host_fault(f"cannot list {path}", error) from error
        found = (self._info(device) for device in sorted(devices, key=lambda name: int(name[10:])))
        return [info for info in found if info.state != DELETED]

    def _attributes(self, device: str) -> Attributes:
        return Attributes(f"{self._prefix}/{_CLASS}/{device}", require_sysfs=not self._prefix)

    def _info(self, device: str) -> ProcessorInfo:
        attributes = self._attributes(device)
        note = "its driver lets nobody control it" if attributes.read_only() else ""
        if not note and not os.access(f"{attributes.path}/state", os.W_OK, effective_ids=True):
            note = "this user may not control it"
        return ProcessorInfo(
            name=attributes.printable("name") or device,
            device=device,
            state=attributes.state(),
            firmware=attributes.printable("firmware"),
            note=note,
        )

    def open(self, device: str, options: ProcessorOptions) -> SysfsProcessor:
        """Open a processor. Raises NotFound; InvalidRequest for a console that is not allowed."""
        return open_processor(self.open_args(device, options))

    def open_args(self, device: str, options: ProcessorOptions) -> OpenArgs:
        """Return what `open_processor` takes. Raises as `open` does."""
        path = self._attributes(device).path
        if not is_device(device) or not os.path.isdir(path):
            raise NotFound(
                f"there is no processor {device} under {self._prefix}/{_CLASS}",
                hint="was its driver removed?",
            )
        return self._open_args(device, options)

    def reclaim(self, device: str, claim: Claim) -> None:
        """Undo what a dead owner claimed; if the processor has gone, remove its firmware file."""
        if is_device(device):
            open_processor(self._open_args(device, ProcessorOptions())).release(claim)

    def _open_args(self, device: str, options: ProcessorOptions) -> OpenArgs:
        name = self._attributes(device).printable("name")
        policy = self._policies.get(device) or self._policies.get(name) or self._default
        if options.console.startswith("/") and options.console not in policy.consoles:
            allowed = ", ".join(policy.consoles) or "none"
            raise InvalidRequest(
                f"console {options.console} is not allowed for processor {name or device}",
                hint=f"the configuration allows {allowed}",
            )
        return {
            "root": self._root,
            "device": device,
            "directory": self._directory,
            "options": list(options),
            "policy": policy.to_json(),
        }
