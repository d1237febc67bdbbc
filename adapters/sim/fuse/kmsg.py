"""The kernel's log, as /dev/kmsg gives it to readers: one record a read, in a ring that forgets.

Source: Linux Documentation/ABI/testing/dev-kmsg; 6.1 kernel/printk/printk.c (devkmsg_read,
msg_print_ext_body). What a file of FUSE cannot be told is otherwise than there:

* Positions are bytes, and any of them may be sought: a read begins with the next whole record.
* Only some readers may wait at a time, since each takes a thread; others get EAGAIN, as O_NONBLOCK
  at open does.
* poll always says that there is something.
* Nobody but the simulated kernel writes: EPERM.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from errno import EAGAIN, EINTR, EINVAL, EPERM, EPIPE

from adapters.sim.fuse.nodes import Handle, Node

_RING = 1 << 17  # bytes
_LINE = 992  # bytes of a message; the kernel cuts what is longer
_PAUSE = 0.1  # seconds between two looks at whether a reader that waits has been interrupted
_MAX_WAITING = 4


class KmsgFile(Node):
    """The log and its file. Its records hold the bytes from `first` to `size`.

    `interrupted` tells whether the caller of a request, in whose thread it is asked, got a signal.
    """

    def __init__(self, interrupted: Callable[[], bool], ring: int = _RING) -> None:
        super().__init__(stat.S_IFREG | 0o444)
        self.first = 0
        self.interrupted = interrupted
        self.changed = threading.Condition()
        self.waiting = 0
        self._ring = ring
        self._count = 0
        self._starts: list[int] = []
        self._records: list[bytes] = []

    def emit(self, device: str, level: int, text: str) -> None:
        """Add a record about a device of the class remoteproc; `level` as in <linux/kern_levels.h>.

        Levels: 3 error, 4 warning, 6 information.
        """
        line = _escaped(os.fsencode(f"remoteproc {device}: {text}")[:_LINE])
        about = f" SUBSYSTEM=remoteproc\n DEVICE=+remoteproc:{device}\n"
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

    def record_at(self, position: int) -> tuple[int, bytes] | None:
        """Return the first record that starts there or later, and where; hold `changed`."""
        number = bisect_left(self._starts, position)
        if number == len(self._starts):
            return None
        return self._starts[number], self._records[number]

    def open(self, flags: int, /) -> Handle:
        """Open it for a reader, who begins with the oldest record."""
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(EPERM, "")
        return _Reader(self, blocking=not flags & os.O_NONBLOCK)


class _Reader(Handle):
    """One reader. FUSE tells no seeks, but they show: the offset is not where the last read led."""

    def __init__(self, log: KmsgFile, *, blocking: bool) -> None:
        self._log = log
        self._blocking = blocking
        self._offset = 0  # what the reader's next read has if it has not sought
        self._position = log.first  # what that means: more than the offset where it lost records

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
                raise OSError(EINVAL, "")  # and lost to this reader, as in the kernel
            self._offset = offset + len(record)
            return record

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
