"""The processor of a container that has none: a pod's sandbox only has to be there."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import Unsupported
from domain.firmware import FirmwareImage
from domain.ports import Claim
from domain.processor import OFFLINE, RUNNING, FirmwareExit, ProcessorState


class NoProcessor:
    """Implements domain.ports.Processor: runs nothing until it is stopped."""

    name = "sandbox"
    device = ""
    poll_seconds = None

    def __init__(self) -> None:
        self._state = RUNNING

    def state(self) -> ProcessorState:
        """Return `running` until `stop`."""
        return self._state

    def available(self) -> bool:
        """Return False: nothing is ever loaded."""
        return False

    def prepare(self, container: str, firmware: FirmwareImage) -> Claim:  # noqa: ARG002
        """Raise: there is nothing to run firmware on."""
        raise Unsupported("a sandbox runs no firmware")

    def load(self, claim: Claim, firmware: FirmwareImage) -> None:
        """Do nothing."""

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Be over."""
        self._state = OFFLINE

    def release(self, claim: Claim) -> None:
        """Do nothing."""

    def pause(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""

    def firmware_exit(self) -> FirmwareExit:
        """Say that nothing went wrong."""
        return FirmwareExit(crashed=False)

    def watch(self) -> Sequence[int]:
        """Return nothing: nothing ever happens."""
        return ()

    def read_output(self) -> bytes:
        """Return nothing."""
        return b""

    def remarks(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def write_input(self, data: bytes) -> int:
        """Swallow it."""
        return len(data)
