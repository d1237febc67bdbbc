"""A remote processor as its framework shows it (Linux drivers/remoteproc/remoteproc_sysfs.c)."""

from __future__ import annotations

from domain.light_types import NamedTuple


class ProcessorState(str):
    """The kernel's word for a processor's state.

    Kernels add words. A word that this version does not know counts as active, since a program
    may depend on the processor: the runtime loads nothing there, and ends no container for it.
    """

    __slots__ = ()

    @property
    def known(self) -> bool:
        """Whether this version knows the word."""
        return self in _KNOWN

    @property
    def startable(self) -> bool:
        """Whether `start` loads and runs firmware. In other states it may only count a user."""
        return self == "offline"

    @property
    def crashed(self) -> bool:
        """Whether the processor has stopped after a fault."""
        return self in ("crashed", "defunct")

    @property
    def ended(self) -> bool:
        """Whether the firmware does not run any more, whatever the reason."""
        return self.crashed or self in ("offline", "deleted", "invalid", "detached")


OFFLINE = ProcessorState("offline")
RUNNING = ProcessorState("running")
CRASHED = ProcessorState("crashed")
ATTACHED = ProcessorState("attached")
DETACHED = ProcessorState("detached")
SUSPENDED = ProcessorState("suspended")
DELETED = ProcessorState("deleted")

_KNOWN = frozenset(
    (OFFLINE, RUNNING, CRASHED, ATTACHED, DETACHED, SUSPENDED, DELETED, "invalid", "defunct")
)


def is_device(name: str) -> bool:
    """Return whether this is a name that the kernel gives to a processor: remoteproc0 and so on."""
    number = name.removeprefix("remoteproc")
    return number != name and number.isascii() and number.isdigit()


DRIVERS_OWN = "its driver lets nobody control it"
NOT_THIS_USERS = "this user may not control it"
"""Why nobody, or not this user, can control a processor: ProcessorInfo.fault."""


class ProcessorInfo(NamedTuple):
    """One processor of a board.

    `name` is the driver's name (`m4`, `imx-rproc`), `device` the kernel's (`remoteproc0`).
    `firmware` was loaded last, empty if none or unknown. `note` is for people. `parent` is the
    device that the processor belongs to: where a driver calls several processors alike, it stays
    the same from boot to boot. `fault`: why nobody can control the processor, as far as one can
    see; the note says that, too. `path` is the processor's directory in sysfs, if it has one.
    """

    name: str
    device: str
    state: ProcessorState
    firmware: str = ""
    note: str = ""
    parent: str = ""
    fault: str = ""
    path: str = ""


class FirmwareExit(NamedTuple):
    """How firmware ended, as far as the processor reports it.

    `status` is the firmware's own exit code (semihosting), None where the processor reports none.
    `reason` is for people: `watchdog`, `exit code 7`, ``. `out_of_memory`: not the firmware is the
    cause: the kernel has killed the process that simulates the processor.
    """

    crashed: bool
    status: int | None = None
    reason: str = ""
    out_of_memory: bool = False
