"""Ports to the Linux processes around a container, and to the operator who reads warnings."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from domain.annotations import ProcessorOptions
from domain.container import FirmwareContainer, Operation, Status
from domain.hooks import Hook
from domain.ports.containers import Draft
from domain.stdio import Stdio


@runtime_checkable  # the container of bootstrap checks what it is given
class Warn(Protocol):
    """Tells the operator of a problem that does not stop the operation."""

    def __call__(self, text: str, /) -> None:
        """Take one line."""


class Supervisors(Protocol):
    """The Linux processes that stand for firmware."""

    def spawn(
        self, draft: Draft, container: FirmwareContainer, options: ProcessorOptions, stdio: Stdio
    ) -> FirmwareContainer:
        """Start the supervisor, wait until it is ready; return the container with its pid."""

    def adopt(self, container: FirmwareContainer) -> None:
        """Let a spawned supervisor continue without this process."""

    def abandon(self, container: FirmwareContainer) -> None:
        """End a supervisor that was spawned and never adopted."""

    def alive(self, container: FirmwareContainer) -> bool:
        """Tell whether the very process that was spawned still runs.

        Raises HostFault if that is not known: the container must not count as ended then.
        """

    def ask(self, container: FirmwareContainer, operation: Operation) -> None:
        """Have the supervisor start, stop, kill, pause or resume; wait for the outcome.

        After a stop and a kill the exit is on record. Raises the error that the supervisor met,
        SupervisorGone if it has ended, Busy if it does not answer because the kernel
        does not return from a request.
        """

    def signal(self, container: FirmwareContainer, number: int) -> None:
        """Send the supervisor a signal. Raises SupervisorGone if it has ended."""

    def wait(self, container: FirmwareContainer, seconds: float | None) -> bool:
        """Wait for the supervisor's end; return False if it still runs."""


class HookRunner(Protocol):
    """Runs the programs that a bundle names as hooks."""

    def run(self, kind: str, hook: Hook, container: FirmwareContainer, status: Status) -> None:
        """Run one with the container's state of that status on its stdin; wait for its end.

        Raises HostFault if it cannot be run, exits other than 0, or takes too long; the hook's
        processes have then ended.
        """
