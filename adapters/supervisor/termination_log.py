"""Writes the reason of a failure where the kubelet looks: `kubectl describe` shows it then."""

from __future__ import annotations

import errno
import os
import stat

_MOST = 4096  # bytes that the kubelet reads


def write_reason(path: str, reason: str) -> None:
    """Replace the content of the file, which exists. Raises OSError."""
    flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{reason}\n".encode()[:_MOST])
    finally:
        os.close(descriptor)
