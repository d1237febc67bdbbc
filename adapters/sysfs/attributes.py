"""Reads and writes the sysfs attributes of a processor, any of which may be missing or invalid.

Measured on Linux 5.10, 6.1 and 6.12: one write(2) is one command, and its errno is the answer; a
short write is no error. A signal that arrives while the kernel waits for the processor makes the
write fail, in some cases with EINVAL: so signals are blocked during a write.
"""

from __future__ import annotations

import errno
import os
import time

from adapters.linux.light_signal import signal
from adapters.linux.mountinfo import mounts
from domain.errors import HostFault, host_fault
from domain.processor import DELETED, ProcessorState
from domain.text import printable

UNKNOWN = ProcessorState("unknown")

_LIMIT = 4096  # bytes; sysfs gives no more
_SHOWN = 200  # characters of a value that people see
_GONE = (
    *(errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.ENOTDIR),
    *(errno.ENOTCONN, errno.ECONNABORTED),  # a simulated board whose simulator has died
)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL)


class Attributes:
    """The attributes in one directory. `require_sysfs`: refuse to write to a file elsewhere.

    An attribute that does not exist, and all of a processor that has gone, has no value. One that
    cannot be read, as for lack of descriptors, is an error: nobody may take the processor for free.
    """

    __slots__ = ("_held", "_last_state", "_require_sysfs", "path")

    def __init__(self, path: str, *, require_sysfs: bool) -> None:
        self.path = path
        self._require_sysfs = require_sysfs
        self._held: dict[str, int] = {}
        self._last_state = (b"", UNKNOWN)  # as it was read, and what it means

    def hold(self, *names: str) -> None:
        """Keep open those of the attributes that exist, until `close`. Raises HostFault.

        So their use needs no descriptor, and never reaches a later processor of this name.
        """
        self.close()
        for name in names:
            try:
                self._held[name] = self._open(name)
            except OSError as error:
                if error.errno not in _GONE:
                    self.close()
                    raise host_fault(f"cannot open {self.path}/{name}", error) from error
            except BaseException:
                self.close()
                raise

    def _open(self, name: str) -> int:
        path = f"{self.path}/{name}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self._check(name, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def close(self) -> None:
        """Close what is held. Repeatable."""
        while self._held:
            os.close(self._held.popitem()[1])

    def read(self, name: str) -> str | None:
        """Return a value without one newline at its end; None for none. Raises HostFault."""
        try:
            data = self._read(name)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise host_fault(f"cannot read {self.path}/{name}", error) from error
        return data.decode("utf-8", "surrogateescape").removesuffix("\n")

    def _read(self, name: str) -> bytes:
        if name in self._held:
            return os.pread(self._held[name], _LIMIT, 0)
        return read_attribute(f"{self.path}/{name}")

    def printable(self, name: str) -> str:
        """Return a value for people: unprintable characters escaped, cut if long, `` for none.

        Raises HostFault.
        """
        return escape(self.read(name) or "")

    def parent(self) -> str:
        """Return the name of the device behind the processor, `` if the kernel shows none."""
        try:
            return escape(os.path.basename(os.readlink(f"{self.path}/device")))
        except OSError:
            return ""

    def state(self) -> ProcessorState:
        """Return the state; `deleted` if the processor has gone. Raises HostFault."""
        try:
            data = self._read("state")
        except OSError as error:
            if error.errno not in _GONE:
                raise host_fault(f"cannot read {self.path}/state", error) from error
            if "state" in self._held or not self._exists():
                return DELETED
            return UNKNOWN
        if data != self._last_state[0]:
            word = escape(data.decode("ascii", "backslashreplace").strip())
            self._last_state = data, ProcessorState(word or UNKNOWN)
        return self._last_state[1]

    def is_removed_within(self, seconds: float) -> bool:
        """Return whether the stopped processor is removed, with its driver, within the seconds.

        A driver that is removed stops its processor, and then removes the processor (Linux
        drivers/remoteproc/remoteproc_core.c, rproc_del).
        """
        deadline = time.monotonic() + seconds
        while self.state() != DELETED:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _exists(self) -> bool:
        try:
            os.stat(self.path)
        except OSError as error:
            if error.errno not in _GONE:
                raise host_fault(f"cannot look at {self.path}", error) from error
            return False
        return True

    def write(self, name: str, value: str) -> None:
        """Write one command to the kernel. Raises the kernel's OSError, HostFault."""
        if name in self._held:
            self._write(self._held[name], value)
            return
        descriptor = os.open(f"{self.path}/{name}", os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self._check(name, descriptor)
            self._write(descriptor, value)
        finally:
            os.close(descriptor)

    def _check(self, name: str, descriptor: int) -> None:
        if self._require_sysfs and not on_sysfs(descriptor):
            path = f"{self.path}/{name}"
            raise HostFault(f"{path} is not on a sysfs", hint="check what is mounted at /sys")

    def _write(self, descriptor: int, value: str) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            os.pwrite(descriptor, value.encode("utf-8", "surrogateescape"), 0)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

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
