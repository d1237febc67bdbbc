"""Waits for the supervisors, whose parent the shim is, and for orphans that become its children."""

from __future__ import annotations

import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable

from adapters.containerd.ttrpc import threads
from adapters.linux.process import is_zombie
from adapters.linux.process_tree import children

ExitCallback = Callable[[int], None]

# The code of the shim that starts a process waits for that process at once. A child that stays
# dead for longer is an orphan that the kernel gave to this subreaper.
_ORPHAN_AFTER = 2.0  # seconds
_RETRY_EVERY = 1.0  # seconds


class Reaper:
    """One thread that polls a pidfd of each supervisor.

    No exit is lost while the system is short of threads, descriptors or memory: what the thread
    cannot do is done later, or in the thread itself. The constructor must run in the main thread,
    for it sets signal handlers; it raises RuntimeError if the system gives no thread.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._poll = select.epoll()
        self._new: deque[tuple[int, ExitCallback]] = deque()  # supervisors without a pidfd yet
        self._supervisors: dict[int, tuple[int, ExitCallback]] = {}  # by pidfd
        self._orphans: dict[int, float] = {}
        self._wake_in, self._wake_out = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll.register(self._wake_in, select.EPOLLIN)
        signal.signal(signal.SIGCHLD, lambda *_: self._wake())
        threads.start(lambda: threads.repeat(self._turn, self._report))

    def watch(self, pid: int, callback: ExitCallback) -> None:
        """Call `callback(exit status)`, in any thread, once the child has ended."""
        self._new.append((pid, callback))
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_out, b"\0")
        except BlockingIOError:
            pass  # the pipe is full, so the thread is awake

    def _turn(self) -> None:
        """Wait for the next exits and report them."""
        self._open_new()
        timeout = _RETRY_EVERY if self._orphans or self._new else None
        for descriptor, _ in self._poll.poll(timeout):
            if descriptor == self._wake_in:
                os.read(descriptor, 4096)
            else:
                self._reap_supervisor(descriptor)
        self._reap_orphans()

    def _open_new(self) -> None:
        for _ in range(len(self._new)):
            pid, callback = self._new.popleft()
            try:
                self._open(pid, callback)
            except ProcessLookupError:
                self._run(pid, callback)  # something else has reaped it
            except (OSError, MemoryError) as error:
                self._new.append((pid, callback))
                self._warn(f"cannot watch process {pid} yet: {type(error).__name__}: {error}")

    def _open(self, pid: int, callback: ExitCallback) -> None:
        descriptor = os.pidfd_open(pid)
        try:
            self._poll.register(descriptor, select.EPOLLIN)
        except BaseException:
            os.close(descriptor)
            raise
        self._supervisors[descriptor] = (pid, callback)

    def _reap_supervisor(self, descriptor: int) -> None:
        pid, callback = self._supervisors.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        self._run(pid, callback)

    def _run(self, pid: int, callback: ExitCallback) -> None:
        """Give the exit status to the callback, in a thread of its own if there is one."""
        status = reap(pid)

        def run() -> None:
            try:
                callback(status)
            except Exception as error:
                self._warn(f"exit of process {pid}: {type(error).__name__}: {error}")

        try:
            threads.start(run)
        except (RuntimeError, MemoryError):
            run()  # later exits have to wait for this one, but none is lost

    def _reap_orphans(self) -> None:
        now = time.monotonic()
        supervisors = {pid for pid, _ in (*self._new, *self._supervisors.values())}
        dead = [pid for pid in children(os.getpid()) if pid not in supervisors and is_zombie(pid)]
        self._orphans = {pid: self._orphans.get(pid, now) for pid in dead}
        for pid, since in list(self._orphans.items()):
            if now - since >= _ORPHAN_AFTER:
                reap(pid)
                del self._orphans[pid]

    def _report(self, error: Exception) -> None:
        self._warn(f"waiting for exits failed and goes on: {type(error).__name__}: {error}")


def reap(pid: int) -> int:
    """Return the exit status of a child that has ended, as a shell shows it."""
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return 128 + signal.SIGKILL  # something else has reaped the child, so its status is lost
    return code if code >= 0 else 128 - code
