"""What an owner changes on a processor, and how any process undoes it by the owner's claim.

Keys of a claim: `firmware` is the name of the published file, `name` that of the processor.
`previous`, `recovery` and `coredump` are the old values of the attributes `firmware`, `recovery`
and `coredump`, `` for those that the owner does not change. `attached` is the container's option.
`borrowed` is `yes` if the kernel ran or recovered `previous`, which is to be started again at the
end.
The attribute `firmware` is restored last: while it has the name of the published file, the
processor runs the owner's firmware, and all changes are still to be undone.
"""

from __future__ import annotations

import errno
import os

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.driver_errors import in_use, refused, unchanged
from adapters.sysfs.firmware_files import is_published_name, kernel_name, publish, unpublish
from adapters.sysfs.power import Power
from adapters.sysfs.search_path import SearchPath
from domain.annotations import ProcessorOptions
from domain.errors import ProcessorFault, WrongState
from domain.firmware import FirmwareImage
from domain.processor import ATTACHED, CRASHED, DETACHED, OFFLINE, RUNNING, ProcessorState

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from domain.ports import Claim

_WHILE_OWNED = {"recovery": "disabled", "coredump": "enabled"}  # while the processor is owned
_VALUES = {"recovery": ("enabled", "disabled"), "coredump": ("disabled", "enabled", "inline")}
_GONE = (errno.ENODEV, errno.ENOENT, errno.ENXIO)
_NAME_MAX = 255


def may_take(state: ProcessorState, attached: str) -> bool:
    """Return whether the option `attached` lets a container have a processor that is not off."""
    if state in (ATTACHED, DETACHED):
        return attached not in ("", "borrow")  # nobody knows what runs there
    return attached in ("replace", "borrow") and state in (RUNNING, CRASHED)


class ProcessorClaims:
    """Makes, applies and undoes the claims on one processor."""

    __slots__ = ("_attributes", "_device", "_directory", "_name", "_power", "_search")

    def __init__(
        self, device: str, name: str, attributes: Attributes, power: Power, search: SearchPath
    ) -> None:
        self._device = device
        self._name = name
        self._attributes = attributes
        self._power = power
        self._search = search
        self._directory = -1  # where the file was published, open so that it can be removed

    def close(self) -> None:
        """Close the directory of the published file. Repeatable."""
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def check(self) -> None:
        """Raise HostFault where no file can be published."""
        self._search.choose()

    def plan(
        self, container: str, firmware: FirmwareImage, options: ProcessorOptions
    ) -> dict[str, str]:
        """Return a claim; changes nothing.

        Raises HostFault if no file can be published, WrongState for what cannot be put back.
        """
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
        if options.attached == "borrow" and self._runs_on():
            claim["borrowed"] = "yes"
            if not claim["previous"]:
                raise WrongState(
                    f"the firmware that runs on processor {self._name} has no name: it cannot be "
                    "started again",
                    hint="use remoteproc.attached = replace",
                )
        return claim

    def _runs_on(self) -> bool:
        """Return whether firmware runs, or the kernel recovers what has crashed."""
        state = self._power.state_after_recovery()
        return state == RUNNING or (
            state == CRASHED and self._attributes.read("recovery") == "enabled"
        )

    def _value_to_restore(self, attribute: str) -> str:
        value = self._attributes.read(attribute)
        return value if value in _VALUES[attribute] and value != _WHILE_OWNED[attribute] else ""

    def apply(self, claim: Claim, firmware: FirmwareImage) -> None:
        """Publish and choose the firmware, and set the attributes.

        Raises ProcessorFault, with EBUSY where anything runs; HostFault, FirmwareUnfit.
        """
        if claim["attached"] != "keep":
            if claim["attached"]:
                self._take_over(claim["attached"])
            if (state := self._attributes.state()) != OFFLINE:
                raise in_use("load", self._name, state, OFFLINE)
            self.close()
            place = self._search.choose()
            self._directory = publish(place, claim["firmware"], self._device, firmware)
            self._set("firmware", claim["firmware"])
        for attribute, value in _WHILE_OWNED.items():
            if claim[attribute]:
                self._set(attribute, value)

    def _take_over(self, how: str) -> None:
        # The kernel stops a detached processor only after it has attached to it.
        if self._attributes.state() == DETACHED:
            self._power.attach()
        if may_take(self._power.state_after_recovery(), how):
            self._power.stop()

    def undo(self, claim: Claim) -> None:
        """Stop the claim's firmware, restore the attributes, remove the file. Repeatable."""
        if claim.get("attached") == "keep":
            if claim.get("name") == self._name:
                self._power.detach()
                self._restore(claim)
        elif self._is_current(claim):
            self._power.stop()
            self._restore(claim)
            self._unpublish(claim["firmware"])
            self._restore_firmware(claim.get("previous", ""))
        else:
            self._unpublish(claim.get("firmware", ""))

    def put_back(self, claim: Claim) -> list[str]:
        """Start what ran before, if it was borrowed from; return what goes wrong there.

        Call it last, after `undo` and the release of /dev/remoteprocN. Repeatable.
        """
        previous = claim.get("previous", "")
        if (
            claim.get("borrowed") == "yes"
            and claim.get("name") == self._name
            and self._power.state_after_recovery() == OFFLINE
            and self._attributes.read("firmware") == previous
        ):
            try:
                return self._power.start()
            except ProcessorFault as error:
                return [f"{previous}, which ran before, does not run again: {error.message}"]
        return []

    def _unpublish(self, name: str) -> None:
        unpublish(self._search, name, self._device, self._directory)

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
            except OSError as error:
                # EBUSY: another program has started the processor, with firmware of its own.
                if error.errno not in (errno.EBUSY, *_GONE):
                    raise refused("restore firmware of", self._name, error) from error

    def _set(self, attribute: str, value: str) -> None:
        try:
            self._attributes.write(attribute, value)
        except OSError as error:
            raise refused("load", self._name, error) from error
        found = self._attributes.read(attribute)
        if found not in (None, value):
            value = self._attributes.printable(attribute)
            raise unchanged(f"set {attribute} of", self._name, value, attribute=attribute)
