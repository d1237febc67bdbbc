"""A processor that executes nothing: it is started at once and runs until it is stopped."""

from __future__ import annotations

from adapters.sim.uart import UartConsole
from domain.processor import FirmwareExit

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.sim.rpmsg.link import RpmsgLink


class IdleExecution:
    """Implements adapters.sim.execution.Execution without any process, output or memory."""

    pid = -1
    user = None
    unconfined: Sequence[str] = ()

    def __init__(self) -> None:
        self.console = UartConsole(-1)
        self.rpmsg: RpmsgLink | None = None
        self.firmware_exit: FirmwareExit | None = None

    def watch(self) -> tuple[int, ...]:
        return ()

    def poll(self, milliseconds: int = 0) -> None:
        pass

    def remarks(self) -> Sequence[str]:
        return ()

    def monitor(self, command: str) -> str:  # noqa: ARG002
        return ""

    def pause(self) -> bool:
        return True

    def resume(self) -> bool:
        return True

    def read_memory(self, address: int, size: int) -> bytes | None:  # noqa: ARG002
        return None

    def close(self) -> None:
        pass
