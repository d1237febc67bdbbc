"""Which process is it: a pid together with its start time, since pids come again."""

from __future__ import annotations

import os
import select

from adapters.linux.files import read_all


def start_time(pid: int) -> int:
    """Return the start time of a living process in clock ticks since boot, else 0 (proc(5))."""
    try:
        # The name, in parentheses, may hold anything; what follows its last one is numbers.
        fields = read_all(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in b"ZX" else int(fields[19])


def open_process(pid: int, born: int) -> int | None:
    """Return a pidfd of that very process, or None if it has ended."""
    if pid <= 0:
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    if start_time(pid) == born:
        return descriptor
    os.close(descriptor)
    return None


def wait(pid: int, born: int, seconds: float | None) -> bool:
    """Wait for the end of that very process, reaped or not; False if it lives on."""
    descriptor = open_process(pid, born)
    if descriptor is None:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))
    finally:
        os.close(descriptor)


def privileged() -> bool:
    """Tell whether this is the machine's root, and not only that of a user namespace."""
    if os.geteuid() != 0:
        return False
    try:
        return read_all("/proc/self/uid_map").split() == [b"0", b"0", b"4294967295"]
    except OSError:
        return True
