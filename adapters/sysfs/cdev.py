"""/dev/remoteprocN: the kernel's promise to stop the processor when its holder dies.

The flag is the processor's, not the descriptor's: once set, any close of the node by anyone
stops the processor. So there is one holder, and the flag is cleared before a close that is not
to stop anything. Source: Linux include/uapi/linux/remoteproc_cdev.h, drivers/remoteproc/
remoteproc_cdev.c (CONFIG_REMOTEPROC_CDEV, often not set).
"""

from __future__ import annotations

import fcntl
import os
import stat

_SET_SHUTDOWN_ON_RELEASE = 0x4004B701  # _IOW(0xB7, 1, s32)
_ON = (1).to_bytes(4, "little")
_OFF = bytes(4)


class ShutdownOnRelease:
    """Held, it stops the processor at the death of this process; a no-op without the node."""

    __slots__ = ("_descriptor", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1

    @property
    def held(self) -> bool:
        """Whether this process holds the node."""
        return self._descriptor >= 0

    def acquire(self) -> bool:
        """Take the node and set the flag; tell whether the kernel offers this."""
        if self._descriptor < 0:
            self._descriptor = _open(self._path)
        return self._descriptor >= 0 and self._set(_ON)

    def release(self) -> None:
        """Clear the flag, also one that a dead holder left, and close."""
        if self._descriptor < 0:
            self._descriptor = _open(self._path)
        if self._descriptor >= 0:
            self._set(_OFF)
            os.close(self._descriptor)
            self._descriptor = -1

    def _set(self, value: bytes) -> bool:
        try:
            fcntl.ioctl(self._descriptor, _SET_SHUTDOWN_ON_RELEASE, value)
        except OSError:
            return False
        return True


def _open(path: str) -> int:
    try:
        if not stat.S_ISCHR(os.stat(path).st_mode):
            return -1
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return -1
