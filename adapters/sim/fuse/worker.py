"""The worker thread of one processor, which makes all changes to it.

Linux kills QEMU when the thread that started it ends, so a thread that lives as long as the program
must start it. The worker also stands for the kernel's lock of the processor: a request for a change
waits until the earlier requests are done.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from errno import EINTR, EIO

from adapters.sim.fuse.rpmsg_tty import RpmsgTty
from adapters.sim.remoteproc import RemoteProc
from domain.errors import HostFault, internal_error
from domain.processor import RUNNING
from domain.resource_table import Trace
from domain.text import printable
from domain.trace_buffer import SIZE_LIMIT, kernel_view

_PAUSE = 0.05  # seconds between two checks whether the waiting program was interrupted
_CONSOLE = 1 << 16  # bytes of UART output that are kept
_HEADER = 16  # bytes of a resource table which nobody changes
_TRACE_PAUSE = 0.25  # seconds between two reads: text not yet read is lost if QEMU dies


class _Request:
    __slots__ = ("abandoned", "begun", "done", "error", "work")

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.begun = False
        self.abandoned = False  # the program that waits for it has got a signal
        self.done = threading.Event()
        self.error: OSError | None = None


class ProcessorWorker:
    """Runs requests for one processor one by one, and follows what its firmware does.

    `interrupted` returns whether the program that waits in this thread's request got a signal.
    `tty` is the processor's, None where there is no mailbox.
    """

    def __init__(
        self, rproc: RemoteProc, interrupted: Callable[[], bool], tty: RpmsgTty | None = None
    ) -> None:
        self.rproc = rproc
        self.tty = tty
        self._interrupted = interrupted
        self._current: _Request | None = None
        self.output = b""  # the latest output on the UART
        self._traces: dict[int, bytes] = {}  # trace buffers as they were read last
        self._traces_of: tuple[Trace, ...] = ()
        self._requests: deque[_Request] = deque()
        self._next_trace_read = 0.0
        self._lock = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        name = f"worker-{rproc.spec.name}"
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def run(self, work: Callable[[], None]) -> None:
        """Run `work` in the worker and wait for its end. Raises OSError, always with an errno.

        A signal ends the wait for earlier requests with EINTR, as in mutex_lock_interruptible;
        work that has begun goes on, and `abandoned` becomes True.
        """
        request = self._enqueue(work)
        while not request.done.wait(_PAUSE):
            if not request.abandoned and self._interrupted():
                with self._lock:
                    if not request.begun:
                        self._requests.remove(request)
                        raise OSError(EINTR, "interrupted")
                request.abandoned = True
        if request.error:
            raise request.error

    def abandoned(self) -> bool:
        """Whether the program that waits for the current request has got a signal."""
        return self._current is not None and self._current.abandoned

    def submit(self, work: Callable[[], None]) -> None:
        """Run `work` in the worker later; an error is logged only."""
        self._enqueue(work)

    def _enqueue(self, work: Callable[[], None]) -> _Request:
        request = _Request(work)
        with self._lock:
            self._requests.append(request)
        os.eventfd_write(self._wake, 1)
        return request

    def _serve(self) -> None:
        while True:
            self._wait()
            with self._lock:
                request = self._requests.popleft() if self._requests else None
                if request:
                    request.begun = True
            self._current = request
            if request:
                request.error = self._attempt(request.work)
                request.done.set()
            self._attempt(self._poll)

    def _wait(self) -> None:
        """Sleep until a request or an event of QEMU comes, or an injected end is due."""
        if self._requests:
            return
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        for fd in self.rproc.execution.watch() if self.rproc.execution else ():
            poll.register(fd, select.POLLIN)
        for fd, events in self.tty.watch() if self.tty else ():
            poll.register(fd, events)
        seconds = None
        if self.rproc.state == RUNNING:
            seconds = self.rproc.seconds_to_end()
            if self.rproc.resources.traces:
                seconds = min(_TRACE_PAUSE, _TRACE_PAUSE if seconds is None else seconds)
        poll.poll(None if seconds is None else 1000 * seconds + 1)
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            pass

    def _poll(self) -> None:
        self.rproc.poll()
        execution = self.rproc.execution
        if self.tty:
            self.tty.poll()
        if execution and execution.console.pending:
            self.output = (self.output + execution.console.read())[-_CONSOLE:]
        if self.rproc.state == RUNNING and time.monotonic() >= self._next_trace_read:
            for number in range(len(self.rproc.resources.traces)):
                self._read_trace(number)
            self._next_trace_read = time.monotonic() + _TRACE_PAUSE * 0.9

    def trace(self, entries: tuple[Trace, ...], number: int) -> bytes:
        """Return a trace buffer as the kernel shows it; EIO once the firmware was stopped."""
        execution = self.rproc.execution
        if self.rproc.resources.traces is entries and execution is not None and execution.pid > 0:
            self.run(lambda: self._read_trace(number))
        if self.rproc.resources.traces is not entries:
            raise OSError(EIO, "")
        return self._traces.get(number, b"") if self._traces_of is entries else b""

    def _read_trace(self, number: int) -> None:
        if self._traces_of is not self.rproc.resources.traces:
            self._traces, self._traces_of = {}, self.rproc.resources.traces
        if number < len(self._traces_of):
            memory = self.rproc.read_trace(number, SIZE_LIMIT)
            if memory is not None:
                self._traces[number] = kernel_view(memory)

    def resource_table(self) -> bytes:
        """Return the firmware's resource table: as in memory now if it is there, or the file's."""
        resources, execution = self.rproc.resources, self.rproc.execution
        found: list[bytes | None] = [None]
        if resources.table and execution is not None and execution.pid > 0:
            place = resources.address, len(resources.table)
            self.run(lambda: found.append(execution.read_memory(*place)))
        now = found[-1] or b""
        return now if now[:_HEADER] == resources.table[:_HEADER] else resources.table

    def _attempt(self, work: Callable[[], None]) -> OSError | None:
        """Run `work`; return its error, and print it on stderr as the kernel would log it."""
        try:
            work()
        except OSError as error:
            self._log_error(error.strerror or str(error))
            return error
        except HostFault as error:
            self._log_error(str(error))
            return OSError(error.errno or EIO, str(error))
        except Exception as error:
            self._log_error(internal_error(error))
            return OSError(EIO, str(error))
        return None

    def _log_error(self, text: str) -> None:
        line = printable(f"{self.rproc.spec.name}: {text}")
        print(f"remoteproc-sim: {line}", file=sys.stderr, flush=True)
