"""The kernel's log as /dev/kmsg shows it: each read returns one record of a ring buffer.

Source: Linux Documentation/ABI/testing/dev-kmsg; 6.1 kernel/printk/printk.c (devkmsg_read,
msg_print_ext_body).

Linux does not tell a file of FUSE all that /dev/kmsg would need, so these things differ:

* Positions are bytes, and a program may seek to any: a read begins with the next whole record.
* At most 4 readers may wait at a time, since each takes a thread; others get EAGAIN, as readers
  that open with O_NONBLOCK do.
* A seek is known from the next read on; until then poll(2) reports what it would without the seek.
* Only the simulated kernel writes; others get EPERM.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from errno import EAGAIN, EINTR, EINVAL, EPERM, EPIPE

from adapters.sim.fuse.nodes import READABLE, Handle, Node, Waiter

_RING = 1 << 17  # bytes
_LINE = 992  # bytes of a message; the kernel cuts longer ones
_PAUSE = 0.1  # seconds between two checks whether a waiting reader was interrupted
_MAX_WAITING = 4


class KmsgFile(Node):
    """The log and its file. The ring has the bytes from `first` to `size`.

    `interrupted` returns whether the program that waits in this thread's request got a signal.
    """

    def __init__(self, interrupted: Callable[[], bool], ring: int = _RING) -> None:
        super().__init__(stat.S_IFREG | 0o444)
        self.first = 0
        self.interrupted = interrupted
        self.changed = threading.Condition()
        self.waiting = 0
        self.waiters: dict[_Reader, Waiter] = {}  # readers in poll(2); `changed` guards these
        self._ring = ring
        self._count = 0
        self._starts: list[int] = []
        self._records: list[bytes] = []

    def emit(self, device: str, level: int, text: str) -> None:
        """Add a record about a device of the class remoteproc; see `add`."""
        self.add("remoteproc", "remoteproc", device, level, text)

    def add(self, subsystem: str, driver: str, device: str, level: int, text: str) -> None:
        """Add a record about any device.

        `level` is one of <linux/kern_levels.h>: 3 error, 4 warning, 6 information.
        """
        line = _escaped(os.fsencode(f"{driver} {device}: {text}")[:_LINE])
        about = f" SUBSYSTEM={subsystem}\n DEVICE=+{subsystem}:{device}\n"
        with self.changed:
            stamp = time.monotonic_ns() // 1000
            record = f"{level},{self._count},{stamp},-;{line}\n{about}".encode()
            self._count += 1
            self._starts.append(self.size)
            self._records.append(record)
            self.size += len(record)
            kept = bisect_left(self._starts, self.size - self._ring)
            del self._starts[:kept], self._records[:kept]
            self.first = self._starts[0] if self._starts else self.size
            self.changed.notify_all()
            while self.waiters:
                self.waiters.popitem()[1].notify()

    def record_at(self, position: int) -> tuple[int, bytes] | None:
        """Return the start and the text of the first record at or after a position.

        The caller holds `changed`.
        """
        number = bisect_left(self._starts, position)
        if number == len(self._starts):
            return None
        return self._starts[number], self._records[number]

    def open(self, flags: int, /) -> Handle:
        """Open the log for a reader; its first read returns the oldest record."""
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(EPERM, "")
        return _Reader(self, blocking=not flags & os.O_NONBLOCK)


class _Reader(Handle):
    """One open file. FUSE reports no seeks; another offset than expected shows one."""

    def __init__(self, log: KmsgFile, *, blocking: bool) -> None:
        self._log = log
        self._blocking = blocking
        self._offset = 0  # the offset of the next read, unless the reader seeks
        self._position = log.first  # in the log; greater than the offset after lost records

    def read(self, size: int, offset: int) -> bytes:
        with self._log.changed:
            if offset != self._offset:
                self._offset = offset
                self._position = min(offset, self._log.size) or self._log.first
            start, record = self._log.record_at(self._position) or self._wait()
            if self._position < self._log.first:
                self._position = self._log.first
                raise OSError(EPIPE, "")
            self._position = start + len(record)
            if len(record) > size:
                raise OSError(EINVAL, "")  # and this reader has lost the record, as in the kernel
            self._offset = offset + len(record)
            return record

    def poll(self, waiter: Waiter | None) -> int:
        with self._log.changed:
            readable = self._log.record_at(self._position) is not None
            if waiter and (before := self._log.waiters.pop(self, None)):
                before.forget()
            if waiter and readable:
                waiter.forget()
            elif waiter:
                self._log.waiters[self] = waiter
        return READABLE if readable else 0

    def close(self) -> None:
        with self._log.changed:
            if waiter := self._log.waiters.pop(self, None):
                waiter.forget()

    def _wait(self) -> tuple[int, bytes]:
        if not self._blocking or self._log.waiting >= _MAX_WAITING:
            raise OSError(EAGAIN, "")
        self._log.waiting += 1
        try:
            while not self._log.interrupted():
                self._log.changed.wait(_PAUSE)
                if found := self._log.record_at(self._position):
                    return found
        finally:
            self._log.waiting -= 1
        raise OSError(EINTR, "")


def _escaped(text: bytes) -> str:
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte != 0x5C else f"\\x{byte:02x}" for byte in text
    )
