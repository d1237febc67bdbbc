"""The console of a simulated processor: its UART and its trace buffers."""

from __future__ import annotations

from adapters.sim.remoteproc import RemoteProc
from adapters.sim.trace_memory import TraceMemory
from domain.processor import OFFLINE


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
        """Whether there is output to read that no descriptor announces."""
        machine = self._rproc.machine
        return self._traces.unread or (machine is not None and machine.console.pending)

    @property
    def poll_seconds(self) -> float | None:
        """How often to look into the trace buffers; None if there are none."""
        return self._traces.period

    def read_output(self) -> bytes:
        self._rproc.poll()
        machine = self._rproc.machine
        if self._rproc.state != OFFLINE:
            self._traces.poll_if_due()
        return (machine.console.read() if machine else b"") + self._traces.take()

    def write_input(self, data: bytes) -> int:
        machine = self._rproc.machine
        return machine.console.write(data) if machine else len(data)
