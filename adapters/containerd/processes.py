"""The descendants of a process (proc(5))."""

from __future__ import annotations

import os


def children(pid: int) -> list[int]:
    """Return the children of all threads of a process; none if the process has ended."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                    found += [int(word) for word in file.read().split()]
            except OSError:
                pass  # the thread has ended, or the kernel has no such file
    except OSError:
        pass
    return found


def tree(pid: int) -> list[int]:
    """Return the pid, and the pids of all descendants."""
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children(found[-1])
    return found


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended, and its parent has not waited for it yet."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return False
