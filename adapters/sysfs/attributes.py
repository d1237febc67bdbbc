"""Reads and writes the sysfs attributes of a processor, any of which may be missing or invalid.

Measured on Linux 5.10, 6.1 and 6.12: one write(2) is one command, and its errno is the answer; a
short write is no error. A signal that arrives while the kernel waits for the processor makes the
write fail, in some cases with EINVAL: so signals are blocked during a write.
"""

from __future__ import annotations

import errno
import os
import signal

from adapters.linux.mountinfo import mounts
from domain.errors import HostFault
from domain.processor import DELETED, ProcessorState
from domain.text import printable

UNKNOWN = ProcessorState("unknown")

_LIMIT = 4096  # bytes; sysfs gives no more
_SHOWN = 200  # characters of a value that people see
_GONE = (
    *(errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.ENOTDIR),
    *(errno.ENOTCONN, errno.ECONNABORTED),  # a simulated board whose simulator has died
)


class Attributes:
    """The attributes in one directory. `require_sysfs`: refuse to write to a file elsewhere."""

    __slots__ = ("_last_state", "_require_sysfs", "_state", "path")

    def __init__(self, path: str, *, require_sysfs: bool) -> None:
        self.path = path
        self._require_sysfs = require_sysfs
        self._state = -1
        self._last_state = (b"", UNKNOWN)  # as it was read, and what it means

    def read(self, name: str) -> str | None:
        """Return a value without one newline at its end; None if it cannot be read."""
        try:
            data = read_attribute(f"{self.path}/{name}")
        except OSError:
            return None
        return data.decode("utf-8", "surrogateescape").removesuffix("\n")

    def printable(self, name: str) -> str:
        """Return a value for people: unprintable characters escaped, cut if long, `` for none."""
        return escape(self.read(name) or "")

    def open_state(self) -> None:
        """Keep `state` open: reading is cheaper, and never reads a later processor of this name."""
        self.close_state()
        try:
            self._state = os.open(f"{self.path}/state", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass  # the next read of the state reports it

    def close_state(self) -> None:
        """Close `state`. Repeatable."""
        if self._state >= 0:
            os.close(self._state)
            self._state = -1

    def state(self) -> ProcessorState:
        """Return the state; `deleted` if the processor has gone, `unknown` if unreadable."""
        try:
            if self._state >= 0:
                data = os.pread(self._state, _LIMIT, 0)
            else:
                data = read_attribute(f"{self.path}/state")
        except OSError as error:
            if error.errno in _GONE and (self._state >= 0 or not os.path.isdir(self.path)):
                return DELETED
            return UNKNOWN
        if data != self._last_state[0]:
            word = escape(data.decode("ascii", "backslashreplace").strip())
            self._last_state = data, ProcessorState(word or UNKNOWN)
        return self._last_state[1]

    def write(self, name: str, value: str) -> None:
        """Write one command to the kernel. Raises the kernel's OSError, HostFault."""
        path = f"{self.path}/{name}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if self._require_sysfs and not on_sysfs(descriptor):
                raise HostFault(f"{path} is not on a sysfs", hint="check what is mounted at /sys")
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                os.write(descriptor, value.encode("utf-8", "surrogateescape"))
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        finally:
            os.close(descriptor)

    def read_only(self) -> bool:
        """Whether the driver allows no user, not even root, to write the state."""
        try:
            return not os.stat(f"{self.path}/state").st_mode & 0o222
        except OSError:
            return True


def read_attribute(path: str) -> bytes:
    """Return the first 4096 bytes of a file, the most that an attribute has. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LIMIT)
    finally:
        os.close(descriptor)


def escape(text: str) -> str:
    """Return the text without characters that end or forge a line, cut if it is long."""
    plain = printable(text[:_SHOWN])
    return plain if len(text) <= _SHOWN else f"{plain}..."


def on_sysfs(descriptor: int) -> bool:
    """Whether an open file is on a mounted sysfs.

    Asks mountinfo for the file's device, since Python's statvfs lacks the type of a filesystem
    and ctypes costs a supervisor more than all else it does.
    """
    device = os.fstat(descriptor).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    return any(mount.device == number and mount.kind == "sysfs" for mount in mounts())
