"""Finds, watches and kills processes of this machine."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time


def users_of(place: str) -> dict[int, str]:
    """Return pid and command line of the processes that have something to do with a directory.

    Its path is in their environment, or they have a file in it open: a supervisor shows no
    environment. Their children count, too.
    """
    found: dict[int, str] = {}
    unseen = [int(name) for name in os.listdir("/proc") if name.isdigit() and _uses(name, place)]
    while unseen:
        pid = unseen.pop()
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            found[pid] = words[-120:]
            unseen += [child for child in children(pid) if child not in found]
    return found


def _uses(name: str, place: str) -> bool:
    if int(name) == os.getpid():
        return False
    try:
        with open(f"/proc/{name}/environ", "rb") as file:
            if os.fsencode(place) in file.read():
                return True
        with os.scandir(f"/proc/{name}/fd") as entries:
            return any(os.readlink(entry.path).startswith(f"{place}/") for entry in entries)
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Return the children of all threads of a process. Raises OSError if it has ended."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as file:
            found += [int(word) for word in file.read().split()]
    return found


def wait_until_blocked(task: int | None, seconds: float = 5.0) -> None:
    """Wait until a process or thread, given by its id in the kernel, sleeps in a system call.

    A `threading.Thread` that has not begun has no id (None).
    """
    assert task is not None
    deadline = time.monotonic() + seconds
    while True:
        with open(f"/proc/{task}/stat") as file:
            if file.read().rpartition(") ")[2][0] in "SD":  # proc_pid_stat(5): state
                return
        assert time.monotonic() < deadline, f"task {task} is not blocked"
        time.sleep(0.01)


def kill(pid: int) -> None:
    """Send signal 9 to a process, if the process still exists."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class WatchedProcess:
    """A process whose end can be waited for, although it is not a child of this one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def __enter__(self) -> WatchedProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    def kill(self) -> None:
        signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the process, reaped or not; return False if it still runs."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
