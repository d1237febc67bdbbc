"""What executes the firmware of a simulated processor: a QEMU process, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from adapters.sim.uart import UartConsole
from domain.processor import FirmwareExit

if TYPE_CHECKING:
    from adapters.sim.rpmsg.link import RpmsgLink


class Execution(Protocol):
    """One run of the firmware, from its start to its end.

    `poll` sets `firmware_exit` once the firmware has ended by itself.
    """

    console: UartConsole
    rpmsg: RpmsgLink | None
    firmware_exit: FirmwareExit | None

    @property
    def user(self) -> int | None:
        """The user id of that process; None for this process's, or without one."""

    @property
    def unconfined(self) -> Sequence[str]:
        """What the kernel refused when the process that executes the firmware was confined."""

    @property
    def pid(self) -> int:
        """The pid of the process that executes the firmware; -1 without one and after its end."""

    def watch(self) -> tuple[int, ...]:
        """Return the descriptors that become readable when there is something to `poll`."""

    def poll(self, milliseconds: int = 0) -> None:
        """Handle all news; if there are none, wait so long for some."""

    def remarks(self) -> Sequence[str]:
        """Return what was noticed of the firmware's mistakes since the last call."""

    def monitor(self, command: str) -> str:
        """Return the answer to a command of QEMU's monitor for people; empty without one."""

    def pause(self) -> bool:
        """Pause the processor; no effect after the firmware has ended. False on failure."""

    def resume(self) -> bool:
        """Let the processor run; the firmware may have ended by then. False on failure."""

    def read_memory(self, address: int, size: int) -> bytes | None:
        """Read memory at an address of the processor; None where there is no memory to read."""

    def close(self) -> None:
        """End the execution; `console` keeps the output not read yet. Repeatable."""
