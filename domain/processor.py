"""A remote processor as its framework shows it (Linux drivers/remoteproc/remoteproc_sysfs.c)."""

from __future__ import annotations

from typing import NamedTuple


class ProcessorState(str):
    """The word the kernel gives for a processor's state.

    Open-ended: kernels add words. One that this version has never heard of counts as active
    (somebody may depend on the processor), is never started over, and ends no container.
    """

    __slots__ = ()

    @property
    def known(self) -> bool:
        """Whether this version knows what the word means."""
        return self in _KNOWN

    @property
    def startable(self) -> bool:
        """Whether `start` loads and runs firmware. Elsewhere it may only raise a use count."""
        return self == "offline"

    @property
    def executing(self) -> bool:
        """Whether firmware runs, as far as the kernel knows."""
        return self in ("running", "attached")

    @property
    def crashed(self) -> bool:
        """Whether the processor stands still after a fault."""
        return self in ("crashed", "defunct")

    @property
    def ended(self) -> bool:
        """Whether what ran no longer does, whatever the reason."""
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


class ProcessorInfo(NamedTuple):
    """One row of what is on this board.

    `name` is the driver's word (`m4`, `imx-rproc`); `device` the kernel's (`remoteproc0`).
    `firmware` is what was loaded last, empty if nothing or unknown. `note` tells what is
    unusual, such as a processor that user space may not control.
    """

    name: str
    device: str
    state: ProcessorState
    firmware: str = ""
    note: str = ""


class FirmwareExit(NamedTuple):
    """How firmware ended, as far as the processor tells.

    `status` is the code the firmware itself gave (semihosting), None where it can give none.
    `reason` is for people: `watchdog`, `exit code 7`, ``.
    """

    crashed: bool
    status: int | None = None
    reason: str = ""
