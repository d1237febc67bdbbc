"""The console of a simulated processor: its UART and its trace buffers."""

from __future__ import annotations

from adapters.sim.remoteproc import RemoteProc
from adapters.sim.trace_memory import TraceMemory
from domain.processor import OFFLINE, RUNNING


class SimConsole:
    """Implements domain.ports.Console."""

    def __init__(self, rproc: RemoteProc) -> None:
        self._rproc = rproc
        self._traces = TraceMemory(0, rproc.read_trace)
        rproc.before_stop = lambda: self._traces.poll()

    def open(self) -> None:
        """Read the trace buffers of the firmware that has just been started."""
        self._traces = TraceMemory(len(self._rproc.traces), self._rproc.read_trace)

    @property
    def pending(self) -> bool:
        """Whether there is output that makes no descriptor readable."""
        execution = self._rproc.execution
        return self._traces.unread or (execution is not None and execution.console.pending)

    @property
    def poll_seconds(self) -> float | None:
        return self._traces.period if self._rproc.state == RUNNING else None

    def read_output(self) -> bytes:
        self._rproc.poll()
        execution = self._rproc.execution
        if self._rproc.state == RUNNING:
            self._traces.poll_if_due()
        elif self._rproc.state != OFFLINE:
            self._traces.poll()  # the last words of firmware that has crashed
        return (execution.console.read() if execution else b"") + self._traces.take()

    def write_input(self, data: bytes) -> int:
        execution = self._rproc.execution
        return execution.console.write(data) if execution else len(data)
