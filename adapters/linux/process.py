"""One process: which it is, whether it lives, how to wait for it.

The kernel gives a pid to another process later on, so a process is known by its pid and its start
time together.
"""

from __future__ import annotations

import errno
import os

from adapters.linux.files import read_all, write_existing
from domain.errors import host_fault

_ENDED = (errno.ENOENT, errno.ESRCH)


def stat_fields(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the third, the state, on (proc(5)).

    Raises OSError if there is no such process.
    """
    # The second field, the name in parentheses, may hold anything; all after it is numbers.
    return read_all(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def start_time(pid: int) -> int:
    """Return when a living process started, in clock ticks since boot; 0 if it has ended.

    Raises HostFault if that cannot be told, as when this process has no descriptor left.
    """
    try:
        fields = stat_fields(pid)
    except OSError as error:
        if error.errno in _ENDED:
            return 0
        raise host_fault(f"cannot look at process {pid}", error) from error
    return 0 if fields[0] in b"ZX" else int(fields[19])


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended and its parent has not waited for it yet."""
    try:
        return stat_fields(pid)[0] == b"Z"
    except OSError:
        return False


def open_process(pid: int, started: int) -> int | None:
    """Return a pidfd of the process that started at that time, or None if it has ended.

    Raises HostFault as `start_time` does.
    """
    if pid <= 0:
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError as error:
        # EINVAL: the number is that of a thread by now (pidfd_open(2)).
        if error.errno in (*_ENDED, errno.EINVAL):
            return None
        raise host_fault(f"cannot look at process {pid}", error) from error
    try:
        same = start_time(pid) == started
    except BaseException:
        os.close(descriptor)
        raise
    if same:
        return descriptor
    os.close(descriptor)
    return None


def wait(pid: int, started: int, seconds: float | None) -> bool:
    """Wait until that process has ended; return False if it still runs after so many seconds.

    The process counts as ended even if its parent has not waited for it. Raises HostFault as
    `start_time` does.
    """
    descriptor = open_process(pid, started)
    return descriptor is None or wait_opened(descriptor, seconds)


def wait_opened(descriptor: int, seconds: float | None) -> bool:
    """Wait as `wait` does for the process of a pidfd, and close that."""
    import select

    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))
    finally:
        os.close(descriptor)


def set_name(name: str) -> None:
    """Set what `ps -e` shows of this process; the kernel keeps the first 15 bytes (proc(5))."""
    write_existing("/proc/self/comm", name.encode()[:15])


def set_title(title: str) -> None:
    """Set what `ps -f` shows of this process, as far as the words that it was called with had room.

    The words are in this process's own memory, from where the kernel reads them (proc(5)). Where
    the memory must not be written, they stay as they are.
    """
    _overwrite(45, title.encode())


def forget_environment() -> None:
    """Let nobody see the environment that this process, or the one that it is a copy of, had.

    The kernel shows it from this process's memory, as it was when a program began (proc(5)). The
    present variables move to other memory.
    """
    present = dict(os.environ)
    os.environ.clear()
    os.environ.update(present)
    _overwrite(47, b"")


def _overwrite(field: int, text: bytes) -> None:
    """Overwrite memory that the kernel shows; `stat_fields` has its two ends from `field` on."""
    try:
        start, end = map(int, stat_fields(os.getpid())[field : field + 2])
        descriptor = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
        try:
            room = end - start
            os.pwrite(descriptor, text[: room - 1].ljust(room, b"\0"), start)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):  # ValueError: QEMU's user mode shows fewer fields than Linux
        pass


def privileged() -> bool:
    """Return whether this process is the machine's root, not only the root of a user namespace."""
    if os.geteuid() != 0:
        return False
    try:
        return read_all("/proc/self/uid_map").split() == [b"0", b"0", b"4294967295"]
    except OSError:
        return True
