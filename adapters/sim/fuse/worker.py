"""The one thread that changes a processor.

QEMU dies with the thread that spawned it, so that must be one that lives as long as the program.
It is also what the kernel's lock is: whoever wants a change waits for the changes before.
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

from adapters.sim.remoteproc import RemoteProc
from domain.errors import HostFault
from domain.processor import RUNNING
from domain.resource_table import Trace
from domain.trace_buffer import MAX_SIZE, kernel_view

_PAUSE = 0.05  # seconds between two looks at whether the caller has been interrupted
_CONSOLE = 1 << 16  # bytes of output that are kept
_TRACE_PAUSE = 0.25  # seconds: a simulator that dies takes along what has not been looked at


class _Order:
    __slots__ = ("abandoned", "begun", "done", "error", "work")

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.begun = False
        self.abandoned = False  # whoever wants it has got a signal
        self.done = threading.Event()
        self.error: OSError | None = None


class ProcessorWorker:
    """Keeps one processor: does what is ordered, and notices what its firmware does.

    `interrupted` tells whether the caller of a request, in whose thread it is asked, got a signal.
    """

    def __init__(self, rproc: RemoteProc, interrupted: Callable[[], bool]) -> None:
        self.rproc = rproc
        self._interrupted = interrupted
        self._order: _Order | None = None
        self.output = b""  # the latest of what the firmware printed on its UART
        self._seen: dict[int, bytes] = {}  # trace buffers when they were looked at last
        self._seen_of: tuple[Trace, ...] = ()
        self._orders: deque[_Order] = deque()
        self._look_again = 0.0
        self._lock = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        name = f"worker-{rproc.spec.name}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def do(self, work: Callable[[], None]) -> None:
        """Have it done and wait for that. Raises what it raises, always with an errno.

        A signal ends the wait for others with EINTR, as it does in mutex_lock_interruptible; what
        has begun goes on, but is told that it is abandoned.
        """
        order = self._give(work)
        while not order.done.wait(_PAUSE):
            if not order.abandoned and self._interrupted():
                with self._lock:
                    if not order.begun:
                        self._orders.remove(order)
                        raise OSError(EINTR, "interrupted")
                order.abandoned = True
        if order.error:
            raise order.error

    def abandoned(self) -> bool:
        """Whether nobody waits any more for what is being done."""
        return self._order is not None and self._order.abandoned

    def post(self, work: Callable[[], None]) -> None:
        """Have it done some time soon; nobody learns how it went."""
        self._give(work)

    def _give(self, work: Callable[[], None]) -> _Order:
        order = _Order(work)
        with self._lock:
            self._orders.append(order)
        os.eventfd_write(self._wake, 1)
        return order

    def _run(self) -> None:
        while True:
            self._wait()
            with self._lock:
                order = self._orders.popleft() if self._orders else None
                if order:
                    order.begun = True
            self._order = order
            if order:
                order.error = self._attempt(order.work)
                order.done.set()
            self._attempt(self._look)

    def _wait(self) -> None:
        """Sleep until something is ordered or happens, or an injected crash is due."""
        if self._orders:
            return
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        for fd in self.rproc.machine.watch() if self.rproc.machine else ():
            poll.register(fd, select.POLLIN)
        seconds = None
        if self.rproc.state == RUNNING:
            seconds = self.rproc.seconds_to_crash()
            if self.rproc.traces:
                seconds = min(_TRACE_PAUSE, _TRACE_PAUSE if seconds is None else seconds)
        poll.poll(None if seconds is None else 1000 * seconds + 1)
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            pass

    def _look(self) -> None:
        self.rproc.poll()
        machine = self.rproc.machine
        if machine and machine.console.pending:
            self.output = (self.output + machine.console.read())[-_CONSOLE:]
        if self.rproc.state == RUNNING and time.monotonic() >= self._look_again:
            for number in range(len(self.rproc.traces)):
                self._look_at_trace(number)
            self._look_again = time.monotonic() + _TRACE_PAUSE * 0.9

    def trace(self, held: tuple[Trace, ...], number: int) -> bytes:
        """Return a trace buffer up to its first NUL; EIO once its firmware has been let go."""
        machine = self.rproc.machine
        if self.rproc.traces is held and machine is not None and machine.pid > 0:
            self.do(lambda: self._look_at_trace(number))
        if self.rproc.traces is not held:
            raise OSError(EIO, "")
        return self._seen.get(number, b"") if self._seen_of is held else b""

    def _look_at_trace(self, number: int) -> None:
        if self._seen_of is not self.rproc.traces:
            self._seen, self._seen_of = {}, self.rproc.traces
        if number < len(self._seen_of):
            memory = self.rproc.read_trace(number, MAX_SIZE)
            if memory is not None:
                self._seen[number] = kernel_view(memory)

    def _attempt(self, work: Callable[[], None]) -> OSError | None:
        """Do it; tell on stderr what the kernel would tell its log."""
        try:
            work()
        except OSError as error:
            self._tell(error.strerror or str(error))
            return error
        except HostFault as error:
            self._tell(str(error))
            return OSError(error.errno or EIO, str(error))
        except Exception as error:
            self._tell(f"internal error: {type(error).__name__}: {error}")
            return OSError(EIO, str(error))
        return None

    def _tell(self, text: str) -> None:
        print(f"remoteproc-sim: {self.rproc.spec.name}: {text}", file=sys.stderr, flush=True)
