"""What the domain needs from outside (driven ports). Adapters implement these; tests prove it.

Every method may raise `HostFault`; other errors are named where they can occur.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from domain.annotations import ProcessorOptions
from domain.container import Exit, FirmwareContainer, Owner, Status
from domain.firmware import FirmwareImage
from domain.hooks import Hook
from domain.processor import FirmwareExit, ProcessorInfo, ProcessorState

Claim = Mapping[str, str]
"""What an owner must record_claim to give a processor back: adapter's own keys, JSON-able."""


class Processor(Protocol):
    """One processor, opened by the process that is going to own it.

    Call order: `prepare`, (persist the claim), `load`, `start`, ..., `stop`, `release`.
    `release` is right at any point after `prepare`, any number of times, and from another
    process on behalf of a dead owner. Errors of the driver are `ProcessorFault` with its errno.
    """

    @property
    def name(self) -> str:
        """The driver's name for the processor."""

    @property
    def device(self) -> str:
        """The kernel's name for it, `remoteprocN`."""

    def state(self) -> ProcessorState:
        """Return the state now; `DELETED` if the processor has gone."""

    def available(self) -> bool:
        """Whether nobody's firmware keeps `load` from trying.

        So it is where the processor is off, and where a boot loader started what the container
        options to `take` or to `keep`.
        """

    def prepare(self, container: str, firmware: FirmwareImage) -> Claim:
        """Say what `load` is going to change, without changing anything.

        Raises FirmwareUnfit where the firmware cannot run here.
        """

    def load(self, claim: Claim, firmware: FirmwareImage) -> None:
        """Publish the firmware and choose it.

        Raises ProcessorFault, with EBUSY where anything runs that is not the container's to have;
        WrongState where nothing runs that the container options to `keep`.
        """

    def start(self) -> None:
        """Run what was loaded; return when the processor runs, else raise and leave it off."""

    def stop(self) -> None:
        """Stop the processor; return when it is off, else raise and leave it as it is."""

    def release(self, claim: Claim) -> None:
        """Undo `load`, stopping the processor first if what runs there is this claim's.

        What another claim runs goes on, and is heard as before, also if it was loaded here.
        """

    def pause(self) -> None:
        """Freeze the processor. Raises Unsupported where it cannot be."""

    def resume(self) -> None:
        """Undo `pause`. Raises Unsupported."""

    def firmware_exit(self) -> FirmwareExit:
        """Tell how the firmware ended; meaningful once `state().ended` and before `release`.

        There is no status where the processor has no place for one, as kernels have none.
        """

    @property
    def poll_seconds(self) -> float | None:
        """How often to look where `watch` announces nothing; None if `watch` announces all."""

    def watch(self) -> Sequence[int]:
        """Descriptors that become readable when state or output may have changed.

        May be empty and may differ between calls: the kernel announces nothing for most.
        """

    def read_output(self) -> bytes:
        """Return what the firmware printed since the last call; never blocks; b"" for nothing.

        Never anything twice. What a crash leaves is read after it; the last words of firmware
        that ends otherwise are lost where its memory goes with it, as a kernel's trace buffer.
        """

    def remarks(self) -> Sequence[str]:
        """Return what operators should know that no error and no ending says; each once."""

    def write_input(self, data: bytes) -> int:
        """Give the firmware's console input; return how many bytes it took (0: try later).

        Where firmware has nothing to read from, all is taken and dropped.
        """


class Board(Protocol):
    """The processors of this machine, or of a simulated one."""

    def processors(self) -> list[ProcessorInfo]:
        """List what there is, in the kernel's order."""

    def open(self, device: str, options: ProcessorOptions) -> Processor:
        """Open one by `remoteprocN`. Raises NotFound."""

    def open_args(self, device: str, options: ProcessorOptions) -> Mapping[str, Any]:
        """Say, in JSON's types, all that another process needs to `open` it. Raises NotFound."""

    def reclaim(self, device: str, claim: Claim) -> None:
        """Undo what a dead owner of the processor claimed, even if the processor has gone since.

        Raises as `Processor.release` does.
        """


class FirmwareSource(Protocol):
    """Takes firmware out of images."""

    def stage(self, rootfs: str, cwd: str, name: str, destination: str) -> FirmwareImage:
        """Copy the regular file `name` from inside `rootfs` to `destination`, a new file.

        Symbolic links are followed inside the root, never out of it.
        Raises NotFound, InvalidRequest (a directory, FIFO, ...; empty or too large a file).
        """


class Stdio(NamedTuple):
    """The descriptors that a container gets as stdin, stdout and stderr.

    `interactive`: stdin is to be read for the firmware's console. `terminal`: a terminal in raw
    mode reads and writes them.
    """

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2
    interactive: bool = False
    terminal: bool = False


class Draft(Protocol):
    """A container in the making: invisible until `commit`, gone after `discard`.

    Other operations on the container are kept out until `close` or `discard`.
    """

    @property
    def path(self) -> str:
        """A private directory that becomes the container's."""

    def commit(self, container: FirmwareContainer) -> None:
        """Make it visible, whole. Raises AlreadyExists."""

    def discard(self) -> None:
        """Remove every trace, also of what was committed."""

    def close(self) -> None:
        """Let other operations at the container."""


class ContainerStore(Protocol):
    """Remembers containers, across the death of any process."""

    def draft(self, container_id: str) -> Draft:
        """Begin a container. Raises AlreadyExists."""

    def ids(self) -> list[str]:
        """Return the ids of all containers, sorted."""

    def load(self, container_id: str) -> FirmwareContainer:
        """Return a container as recorded. Raises NotFound."""

    def locked(self, container_id: str) -> AbstractContextManager[FirmwareContainer]:
        """Like `load`, with operations of other processes on this container kept out."""

    def record_exit(self, container_id: str, exit_: Exit) -> Exit:
        """Record how the container ended unless that is recorded already; return what is."""

    def directory(self, container_id: str) -> str:
        """Return the container's own directory."""

    def remove(self, container_id: str) -> None:
        """Forget the container; no error if it is gone."""

    def sweep(self) -> None:
        """Remove what killed operations left half-made."""


class Lease(Protocol):
    """The right to a processor, held until `close` or the holder's death."""

    device: str
    owner: Owner
    claim: Claim

    def record_claim(self, claim: Claim) -> None:
        """Persist what must be undone if the holder dies."""

    def close(self) -> None:
        """Give the right up."""


class Leases(Protocol):
    """Who owns which processor, machine-wide: whatever the state root or the engine."""

    def take(self, device: str, owner: Owner) -> Lease:
        """Raises Busy, naming the owner."""

    def owner(self, device: str) -> Owner | None:
        """Return the living owner."""

    def stale(self) -> Iterator[Lease]:
        """Take, one by one, the rights whose holders died without giving them up."""


class Supervisors(Protocol):
    """The Linux processes that stand for firmware."""

    def spawn(self, draft: Draft, container: FirmwareContainer, stdio: Stdio) -> FirmwareContainer:
        """Start the supervisor, wait until it is ready; return the container with its pid."""

    def adopt(self, container: FirmwareContainer) -> None:
        """Let a spawned supervisor live on without this process."""

    def abandon(self, container: FirmwareContainer) -> None:
        """End a supervisor that was spawned and never adopted."""

    def alive(self, container: FirmwareContainer) -> bool:
        """Whether the very process that was spawned still runs."""

    def ask(self, container: FirmwareContainer, verb: str) -> None:
        """Have the supervisor do `start`, `stop`, `kill`, `pause` or `resume`; await the outcome.

        After `stop` and `kill` the exit is on record. Raises the error that the supervisor met,
        WrongState if it is gone, Busy if it does not answer because the kernel holds it up.
        """

    def signal(self, container: FirmwareContainer, number: int) -> None:
        """Send a signal. Raises WrongState if the supervisor is gone."""

    def wait(self, container: FirmwareContainer, seconds: float | None) -> bool:
        """Wait for the supervisor's end; False if it lives on."""


class HookRunner(Protocol):
    """Runs the programs that a bundle names as hooks."""

    def run(self, kind: str, hook: Hook, container: FirmwareContainer, status: Status) -> None:
        """Run one with the container's state of that status on its stdin; wait for its end.

        Raises HostFault if it cannot be run, exits other than 0, or takes too long; then nothing
        of it runs any more.
        """
