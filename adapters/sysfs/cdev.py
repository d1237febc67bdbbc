"""/dev/remoteprocN, by which the kernel stops the processor when the supervisor dies.

The flag belongs to the processor, not to the descriptor: once it is set, the kernel stops the
processor when any process closes the device. So only the processor's owner opens the device, and
clears the flag before it closes the device of a processor that shall go on.
Source: Linux include/uapi/linux/remoteproc_cdev.h, drivers/remoteproc/remoteproc_cdev.c
(CONFIG_REMOTEPROC_CDEV, often not set).
"""

from __future__ import annotations

import fcntl
import os
import stat

_SET_SHUTDOWN_ON_RELEASE = 0x4004B701  # _IOW(0xB7, 1, s32)
_ON = (1).to_bytes(4, "little")
_OFF = bytes(4)


class ShutdownOnRelease:
    """While held, the kernel stops the processor when this process dies.

    Without the device, all methods have no effect.
    """

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    @property
    def held(self) -> bool:
        """Whether this process has the device open."""
        return self._descriptor >= 0

    def acquire(self) -> bool:
        """Open the device and set the flag; return whether the kernel offers this."""
        if self._descriptor < 0:
            self._descriptor = _open(self.path)
        return self._descriptor >= 0 and self._set(_ON)

    def release(self) -> None:
        """Clear the flag, also one that a dead owner has set, and close the device."""
        if self._descriptor < 0:
            self._descriptor = _open(self.path)
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
