"""Ports to the processors of a board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from domain.annotations import ProcessorOptions
from domain.diagnosis.host import BoardFacts
from domain.firmware import FirmwareImage
from domain.processor import FirmwareExit, ProcessorInfo, ProcessorState
from domain.processor_traits import ProcessorTraits

Claim = Mapping[str, str]
"""How to undo what an owner changes of a processor; the adapter chooses the keys.

The owner records the claim in its lease before the owner changes anything.
"""

OpenArgs = Mapping[str, Any]
"""What another process needs to open a processor, in JSON's types; the adapter chooses the keys."""


class Console(Protocol):
    """The firmware's input and output."""

    def read_output(self) -> bytes:
        """Return what the firmware printed since the last call, b"" for nothing; never wait.

        Nothing is returned twice. After a crash the output before the crash can still be read.
        If firmware ends otherwise, its last output may be lost with the firmware's memory, as
        that in a kernel's trace buffer is.
        """

    def write_input(self, data: bytes) -> int:
        """Give the firmware input; return how many bytes the console took (0: try later).

        A console without a way to the firmware takes all and drops it.
        """

    @property
    def poll_seconds(self) -> float | None:
        """How long after a `read_output` to read again what `Processor.watch` does not announce.

        None if `watch` announces all output. May differ between calls.
        """


class Freezer(Protocol):
    """Stops the firmware for a while, and lets it continue."""

    def pause(self) -> None:
        """Stop the firmware where it is; its memory and its devices stay as they are."""

    def resume(self) -> None:
        """Let the firmware continue."""


class Processor(Protocol):
    """One processor, opened by the process that is going to own it.

    Call order: `check`, `plan_claim`, (record the claim), `load`, `start`, ..., `stop`,
    `release`. The caller may call `release` at any point after `plan_claim`, any number of
    times, and from another process on behalf of a dead owner. If the driver refuses an
    operation, the error is `ProcessorFault` with the driver's errno.
    """

    @property
    def name(self) -> str:
        """The driver's name for the processor."""

    @property
    def device(self) -> str:
        """The kernel's name for the processor, `remoteprocN`."""

    @property
    def console(self) -> Console:
        """The firmware's input and output."""

    @property
    def freezer(self) -> Freezer | None:
        """None where this kind of processor cannot be paused."""

    def state(self) -> ProcessorState:
        """Return the state now; `DELETED` if the kernel has removed the processor."""

    def available(self) -> bool:
        """Tell whether `load` may try: no firmware runs that the container may not replace.

        True where the processor is off, and where a boot loader started the firmware that the
        container's options want to `take`, to `keep` or to `replace`.
        """

    def check(self, firmware: FirmwareImage) -> None:
        """Raise FirmwareUnfit unless the firmware can run here; change nothing.

        Raises HostFault where `load` could not publish a file.
        """

    def plan_claim(self, container: str, firmware: FirmwareImage) -> Claim:
        """Return how to undo what `load` is going to change; change nothing."""

    def load(self, claim: Claim, firmware: FirmwareImage) -> None:
        """Publish the firmware and choose it.

        Raises FirmwareUnfit if the copy has changed since its digest was taken: the bytes that are
        compared are those that will run. Raises ProcessorFault, with EBUSY where firmware runs
        that the container may not replace; WrongState where nothing runs that the container's
        options want to `keep`.
        """

    def start(self) -> None:
        """Run what was loaded; return when the processor runs. On an error the processor is off."""

    def stop(self) -> None:
        """Stop the processor; return when it is off. On an error it is as before."""

    def release(self, claim: Claim) -> None:
        """Undo `load`; first stop the processor if the firmware of this claim runs there.

        Firmware of another claim continues, and its output can be read as before, even if this
        very object loaded it.
        """

    def firmware_exit(self) -> FirmwareExit:
        """Tell how the firmware ended; meaningful once `state().ended` and before `release`.

        The status is None on processors that can report none, as all the kernel's are.
        """

    @property
    def poll_seconds(self) -> float | None:
        """How often to read the state; None if `watch` announces all of its changes.

        May differ between calls.
        """

    def watch(self) -> Sequence[int]:
        """Return descriptors that become readable when state or output may have changed.

        The result may be empty, and may differ between calls.
        """

    def remarks(self) -> Sequence[str]:
        """Return what the operator should know beyond errors and the exit; each text once."""


class Board(Protocol):
    """The processors of this machine, or of a simulated one."""

    def processors(self) -> list[ProcessorInfo]:
        """List the processors in the kernel's order."""

    def open(self, device: str, options: ProcessorOptions) -> Processor:
        """Open the processor `remoteprocN`.

        Raises NotFound; InvalidRequest or Unsupported for options that this board does not allow.
        """

    def open_args(self, device: str, options: ProcessorOptions) -> OpenArgs:
        """Return what another process needs to open the processor. Raises as `open` does."""

    def reclaim(self, device: str, claim: Claim) -> None:
        """Undo what a dead owner claimed, even if the kernel has removed the processor since.

        Raises as `Processor.release` does.
        """


class DescribedBoard(Board, Protocol):
    """A board that tells what its processors are, for people who choose one by that."""

    def traits(self) -> Mapping[str, ProcessorTraits]:
        """Return what is known of each processor, by device. Raises nothing: unknown is empty."""


class SurveyedBoard(Board, Protocol):
    """A board that tells more of itself, for `doctor`."""

    def facts(self) -> BoardFacts:
        """Return what is seen of the board. Changes nothing."""
