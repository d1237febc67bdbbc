"""The processor of a pod's sandbox, which has none: the sandbox only has to exist until it ends."""

from __future__ import annotations

from domain.errors import Unsupported
from domain.processor import OFFLINE, RUNNING, FirmwareExit, ProcessorState

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.linux.view import Place
    from domain.firmware import FirmwareImage
    from domain.ports import Claim


class NoProcessor:
    """Implements domain.ports.Processor, Console and Freezer: `running` until it is stopped."""

    name = "sandbox"
    device = ""
    poll_seconds = None

    def __init__(self) -> None:
        self._state = RUNNING

    @property
    def console(self) -> NoProcessor:
        return self

    @property
    def freezer(self) -> NoProcessor:
        return self

    def state(self) -> ProcessorState:
        return self._state

    def available(self) -> bool:
        return False

    def check(self, firmware: FirmwareImage) -> None:  # noqa: ARG002
        raise Unsupported("a sandbox runs no firmware")

    def plan_claim(self, container: str, firmware: FirmwareImage) -> Claim:  # noqa: ARG002
        return {}

    def load(self, claim: Claim, firmware: FirmwareImage) -> None:
        pass

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self._state = OFFLINE

    def release(self, claim: Claim) -> None:
        pass

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def firmware_exit(self) -> FirmwareExit:
        return FirmwareExit(crashed=False)

    def watch(self) -> Sequence[int]:
        return ()

    def read_output(self) -> bytes:
        return b""

    def later_places(self) -> Sequence[Place]:
        """Return nothing: there is no firmware."""
        return ()

    def remarks(self) -> Sequence[str]:
        return ()

    def write_input(self, data: bytes) -> int:
        return len(data)
