"""Locks of open file descriptions (fcntl_locking(2)): the kernel drops one with its holder.

Unlike flock's, such a lock can be asked about without being taken: a look never gets into an
owner's way.
"""

from __future__ import annotations

import fcntl
import os
import struct

_LAYOUT = "hhqqi4x"  # struct flock: type, whence, start, length, pid


def _whole(kind: int) -> bytes:
    return struct.pack(_LAYOUT, kind, os.SEEK_SET, 0, 0, 0)


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of a file open for writing, if it is free."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole(fcntl.F_WRLCK))
    except BlockingIOError:
        return False
    return True


def is_locked(descriptor: int) -> bool:
    """Tell whether somebody else holds the lock."""
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole(fcntl.F_WRLCK))
    return bool(struct.unpack(_LAYOUT, answer)[0] != fcntl.F_UNLCK)


def still_at(path: str, descriptor: int) -> bool:
    """Tell whether the path still names what the descriptor holds, not a successor of it."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False
