"""Finds the processes of one bench among all of the machine, by a mark in their environment."""

from __future__ import annotations

import contextlib
import os
import select
import signal


def marked(mark: str) -> dict[int, str]:
    """Return pid and command line of the processes whose environment has the mark in it."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/environ", "rb") as file:
                if os.fsencode(mark) not in file.read():
                    continue
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            found[int(name)] = words[-120:]
    return found


def children(pid: int) -> list[int]:
    """Return the children of a process with one thread."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def kill(pid: int) -> None:
    """Kill it outright, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Watched:
    """A process of which we want to know when it has ended, whoever's child it is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def kill(self) -> None:
        signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Wait for its end, reaped or not; False if it lives on."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
