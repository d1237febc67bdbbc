"""Pauses and resumes a simulated processor."""

from __future__ import annotations

from domain.errors import HostFault
from domain.processor import RUNNING

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sim.remoteproc import RemoteProc


class SimFreezer:
    """Implements domain.ports.Freezer by pausing the execution.

    `changed` is called after each change of `paused`.
    """

    def __init__(self, rproc: RemoteProc, changed: Callable[[], None]) -> None:
        self.paused = False
        self._rproc = rproc
        self._changed = changed

    def pause(self) -> None:
        self._rproc.poll()
        execution = self._rproc.execution
        if execution and self._rproc.state == RUNNING and not self.paused:
            self._set(True, execution.pause)

    def resume(self) -> None:
        execution = self._rproc.execution
        if execution and self.paused:
            self._set(False, execution.resume)

    def _set(self, paused: bool, ask: Callable[[], bool]) -> None:
        if not ask():
            name = self._rproc.name
            raise HostFault(f"cannot pause or resume {name}: the simulator does not answer")
        self.paused = paused
        self._changed()
