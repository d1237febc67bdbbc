"""The console of a simulated processor: its UART and its trace buffers, or its rpmsg tty."""

from __future__ import annotations

from adapters.sim.trace_memory import TraceMemory
from domain.processor import OFFLINE, RUNNING

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from adapters.sim.remoteproc import RemoteProc


class SimConsole:
    """Implements domain.ports.Console. `heard`: the firmware has printed something.

    `rpmsg`: input and output are those of the first tty channel of the firmware's, alone.
    """

    def __init__(self, rproc: RemoteProc, *, rpmsg: bool) -> None:
        self.heard = False
        self._rpmsg = rpmsg
        self._rproc = rproc
        self._traces = TraceMemory(0, rproc.read_trace)
        rproc.before_stop = lambda: self._traces.poll()

    def open(self) -> None:
        """Read the trace buffers of the firmware that has just been started."""
        self.heard = False
        self._traces = TraceMemory(len(self._rproc.resources.traces), self._rproc.read_trace)

    @property
    def pending(self) -> bool:
        """Whether there is output that makes no descriptor readable."""
        execution = self._rproc.execution
        if self._traces.unread or (execution is not None and execution.console.pending):
            return True
        link = execution.rpmsg if execution and self._rpmsg else None
        return link is not None and bool(link.channels.pending)

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
        output = (execution.console.read() if execution else b"") + self._traces.take()
        self.heard = self.heard or bool(output)
        if not self._rpmsg or execution is None or execution.rpmsg is None:
            return output
        said = execution.rpmsg.read()
        self.heard = self.heard or bool(said)
        return said

    def write_input(self, data: bytes) -> int:
        execution = self._rproc.execution
        if execution and execution.rpmsg and self._rpmsg:
            return execution.rpmsg.write(data)
        return execution.console.write(data) if execution else len(data)
