"""Locks on files. The kernel releases a lock when the process that holds it ends.

Two kinds are used: flock(2), for whole operations; and locks of open file descriptions
(fcntl_locking(2)), where another process must be able to ask whether the lock is held without
taking it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE = 0.005  # seconds between two tries to take a lock


def flock_within(descriptor: int, seconds: float) -> None:
    """Wait for the exclusive flock. Raises TimeoutError after so many seconds, OSError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return flock_or_fail(descriptor)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None
        time.sleep(_PAUSE)


def flock_or_fail(descriptor: int) -> None:
    """Take the exclusive flock. Raises BlockingIOError if another process holds it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock_or_fail(descriptor: int) -> None:
    """Take the exclusive lock, which `is_locked` can see, of a file that is open for writing.

    Raises BlockingIOError if another open file description has it.
    """
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _struct_flock(fcntl.F_WRLCK))


def is_locked(descriptor: int) -> bool:
    """Return whether another open file description has the lock of `lock_or_fail`."""
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _struct_flock(fcntl.F_WRLCK))
    return int.from_bytes(answer[:2], sys.byteorder) != fcntl.F_UNLCK


def _struct_flock(kind: int) -> bytes:
    """Return a `struct flock` over the whole file: after the type (a short), all is zero."""
    return kind.to_bytes(2, sys.byteorder) + bytes(30)


def still_at(path: str, descriptor: int) -> bool:
    """Return whether the path still names the file that the descriptor is open on."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def open_locked(open_file: Callable[[], int], lock: Callable[[int], None], path: str) -> int:
    """Open and lock the file at `path`, which the process that holds the lock may remove.

    If it was removed between opening and locking, another process can have made and locked a
    successor: so the file is opened again, until it is the one that the path names. Raises what
    `open_file` and `lock` raise.
    """
    while True:
        descriptor = open_file()
        try:
            lock(descriptor)
            if still_at(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
