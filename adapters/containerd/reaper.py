"""Learns of the ends of supervisors, whose parent this process is, and reaps whom it inherits."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable

from adapters.containerd.processes import children, is_zombie
from adapters.containerd.ttrpc import threads

Callback = Callable[[int], None]

# Whoever starts a process of its own here waits for it at once; what stays dead for longer is an
# orphan that this subreaper was given.
_ORPHAN_AFTER = 2.0  # seconds


class Reaper:
    """One thread that polls a pidfd for each supervisor."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._watched: dict[int, tuple[int, Callback]] = {}
        self._orphans: dict[int, float] = {}
        self._wake_in, wake_out = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll.register(self._wake_in, select.EPOLLIN)
        # The byte is written by the C handler; the Python one only has to be there.
        signal.set_wakeup_fd(wake_out, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        threads.start(self._run, "exits")

    def watch(self, pid: int, callback: Callback) -> None:
        """Call `callback(exit status)`, in a thread of its own, once the child has ended."""
        descriptor = os.pidfd_open(pid)
        self._watched[descriptor] = (pid, callback)
        self._poll.register(descriptor, select.EPOLLIN)

    def _run(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll(1.0 if self._orphans else None):
                if descriptor == self._wake_in:
                    os.read(descriptor, 4096)
                    continue
                pid, callback = self._watched.pop(descriptor)
                self._poll.unregister(descriptor)
                os.close(descriptor)
                status = reap(pid)
                threads.start(lambda c=callback, s=status: c(s), f"exit {pid}")  # type: ignore[misc]
            self._reap_orphans()

    def _reap_orphans(self) -> None:
        now = time.monotonic()
        supervisors = {pid for pid, _ in list(self._watched.values())}
        dead = [pid for pid in children(os.getpid()) if pid not in supervisors and is_zombie(pid)]
        self._orphans = {pid: self._orphans.get(pid, now) for pid in dead}
        for pid, since in list(self._orphans.items()):
            if now - since >= _ORPHAN_AFTER:
                reap(pid)
                del self._orphans[pid]


def reap(pid: int) -> int:
    """Return the exit status of a child that has ended, as a shell gives it."""
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return 128 + signal.SIGKILL  # reaped by somebody else: say that it did not end well
    return code if code >= 0 else 128 - code
