"""Finds, watches and kills processes of this machine."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time


def with_environment(text: str) -> dict[int, str]:
    """Return pid and command line of the processes whose environment contains the text."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/environ", "rb") as file:
                if os.fsencode(text) not in file.read():
                    continue
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            found[int(name)] = words[-120:]
    return found


def children(pid: int) -> list[int]:
    """Return the children of a process with one thread."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


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
