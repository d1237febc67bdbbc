"""The processors under /sys/class/remoteproc; implements domain.ports.Board."""

from __future__ import annotations

import os

from adapters.sysfs.attributes import UNKNOWN, Attributes, read_attribute
from adapters.sysfs.policy import Policy
from adapters.sysfs.processor import SysfsProcessor, open_processor
from domain.annotations import ProcessorOptions
from domain.errors import HostFault, InvalidRequest, NotFound, host_fault
from domain.policy import entry_of
from domain.processor import DELETED, DRIVERS_OWN, NOT_THIS_USERS, ProcessorInfo, is_device
from domain.text import printable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from domain.diagnosis.host import BoardFacts
    from domain.ports import Claim, OpenArgs
    from domain.processor_traits import ProcessorTraits

_CLASS = "sys/class/remoteproc"
_MODEL = "sys/firmware/devicetree/base/model"
_COMPATIBLE = "device/of_node/compatible"


class SysfsBoard:
    """The processors of the tree under `root`, `/` for the running kernel.

    `directory` is where firmware is published, `` for a directory that the kernel searches.
    `policies` are fields of Policy, as domain.policy.entry_of takes them; `default` has the rest.
    """

    def __init__(
        self,
        root: str = "/",
        directory: str = "",
        policies: Mapping[str, Mapping[str, Any]] | None = None,
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
        fault = DRIVERS_OWN if attributes.read_only() else ""
        if not fault and not os.access(f"{attributes.path}/state", os.W_OK, effective_ids=True):
            fault = NOT_THIS_USERS
        name = attributes.printable("name") or device
        try:
            state, firmware = attributes.state(), attributes.printable("firmware")
        except HostFault as error:  # it does not hide the other processors
            state, firmware, fault = UNKNOWN, "", str(error)
        parent = attributes.parent()
        path = attributes.path
        return ProcessorInfo(name, device, state, firmware, fault, parent, fault, path)

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

    def traits(self) -> Mapping[str, ProcessorTraits]:
        from domain.processor_traits import ProcessorTraits, core_of

        model = _texts(f"{self._prefix}/{_MODEL}")
        return {
            info.device: ProcessorTraits(
                core=core_of(_texts(f"{self._attributes(info.device).path}/{_COMPATIBLE}")),
                board=printable(model[0]) if model else "",
            )
            for info in self.processors()
        }

    def facts(self) -> BoardFacts:
        from adapters.sysfs.survey import survey

        return survey(self._prefix, self._directory, self.processors())

    def _open_args(self, device: str, options: ProcessorOptions) -> OpenArgs:
        attributes = self._attributes(device)
        name = attributes.printable("name")
        names = (name, attributes.parent(), device)
        policy = self._default._replace(**entry_of(self._policies, *names))
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


def _texts(path: str) -> list[str]:
    """Return the texts of a device tree's property, none if there is no such property."""
    try:
        return read_attribute(path).rstrip(b"\0").decode(errors="replace").split("\0")
    except OSError:
        return []
