"""What an owner changes on a processor, and how any process undoes it by the owner's claim.

Keys of a claim: `firmware` is the name of the published file, `name` that of the processor.
`previous`, `recovery` and `coredump` are the old values of the attributes `firmware`, `recovery`
and `coredump`, `` for those that the owner does not change. `attached` is the container's option.
The attribute `firmware` is restored last: while it has the name of the published file, the
processor runs the owner's firmware, and all changes are still to be undone.
"""

from __future__ import annotations

import errno

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.driver_errors import in_use, refused, unchanged
from adapters.sysfs.firmware_files import is_published_name, kernel_name, publish, unpublish
from adapters.sysfs.power import Power, is_off
from adapters.sysfs.search_path import SearchPath
from domain.annotations import ProcessorOptions
from domain.firmware import FirmwareImage
from domain.processor import ATTACHED, DETACHED, OFFLINE

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from domain.ports import Claim

_WHILE_OWNED = {"recovery": "disabled", "coredump": "enabled"}  # while the processor is owned
_VALUES = {"recovery": ("enabled", "disabled"), "coredump": ("disabled", "enabled", "inline")}
_GONE = (errno.ENODEV, errno.ENOENT, errno.ENXIO)
_NAME_MAX = 255


class ProcessorClaims:
    """Makes, applies and undoes the claims on one processor."""

    __slots__ = ("_attributes", "_device", "_name", "_power", "_search")

    def __init__(
        self, device: str, name: str, attributes: Attributes, power: Power, search: SearchPath
    ) -> None:
        self._device = device
        self._name = name
        self._attributes = attributes
        self._power = power
        self._search = search

    def check(self) -> None:
        """Raise HostFault where no file can be published."""
        self._search.choose()

    def plan(
        self, container: str, firmware: FirmwareImage, options: ProcessorOptions
    ) -> dict[str, str]:
        """Return a claim; changes nothing. Raises HostFault if no file can be published."""
        claim = {"name": self._name, "attached": options.attached, "firmware": "", "previous": ""}
        claim["recovery"] = (
            self._value_to_restore("recovery") if options.recovery == "container" else ""
        )
        claim["coredump"] = (
            self._value_to_restore("coredump") if options.coredump == "enabled" else ""
        )
        if options.attached != "keep":
            directory = self._search.choose()
            claim["firmware"] = kernel_name(directory, self._device, container, firmware)
            previous = self._attributes.read("firmware") or ""
            if previous != "unknown" and not is_published_name(previous, self._device):
                claim["previous"] = previous
        return claim

    def _value_to_restore(self, attribute: str) -> str:
        value = self._attributes.read(attribute)
        return value if value in _VALUES[attribute] and value != _WHILE_OWNED[attribute] else ""

    def apply(self, claim: Claim, firmware: FirmwareImage) -> None:
        """Publish and choose the firmware, and set the attributes.

        Raises ProcessorFault, with EBUSY where anything runs; HostFault, FirmwareUnfit.
        """
        if claim["attached"] != "keep":
            if claim["attached"] == "take":
                self._take_over()
            if (state := self._attributes.state()) != OFFLINE:
                raise in_use("load", self._name, state, OFFLINE)
            publish(self._search.choose(), claim["firmware"], self._device, firmware)
            self._set("firmware", claim["firmware"])
        for attribute, value in _WHILE_OWNED.items():
            if claim[attribute]:
                self._set(attribute, value)

    def _take_over(self) -> None:
        # The kernel stops a detached processor only after it has attached to it.
        if self._attributes.state() == DETACHED:
            self._power.attach()
        if self._attributes.state() == ATTACHED:
            self._power.stop()

    def undo(self, claim: Claim) -> None:
        """Stop the claim's firmware, restore the attributes, remove the file. Repeatable."""
        if claim.get("attached") == "keep":
            if claim.get("name") == self._name:
                self._power.detach()
                self._restore(claim)
        elif self._is_current(claim):
            if not is_off(self._attributes.state()):
                self._power.stop()
            self._restore(claim)
            unpublish(self._search, claim["firmware"], self._device)
            self._restore_firmware(claim.get("previous", ""))
        else:
            unpublish(self._search, claim.get("firmware", ""), self._device)

    def _is_current(self, claim: Claim) -> bool:
        name = claim.get("firmware", "")
        return (
            is_published_name(name, self._device)
            and claim.get("name") == self._name
            and self._attributes.read("firmware") == name
        )

    def _restore(self, claim: Claim) -> None:
        for attribute, values in _VALUES.items():
            old = claim.get(attribute, "")
            if old in values and self._attributes.read(attribute) not in (None, old):
                try:
                    self._attributes.write(attribute, old)
                except OSError as error:
                    if error.errno not in _GONE:
                        raise refused(f"restore {attribute} of", self._name, error) from error

    def _restore_firmware(self, previous: str) -> None:
        if previous and previous.isprintable() and len(previous) <= _NAME_MAX:
            try:
                self._attributes.write("firmware", previous)
            except OSError:
                pass  # another program has started the processor, with firmware of its own

    def _set(self, attribute: str, value: str) -> None:
        try:
            self._attributes.write(attribute, value)
        except OSError as error:
            raise refused("load", self._name, error) from error
        found = self._attributes.read(attribute)
        if found not in (None, value):
            value = self._attributes.printable(attribute)
            raise unchanged(f"set {attribute} of", self._name, value, attribute=attribute)
