"""Carries what the firmware prints to the container's stdout, and keeps the latest part of it.

A reader that does not read must not hold up the firmware or its supervisor: the supervisor
writes only to a stream that takes data, keeps a bounded amount waiting, and says how many bytes
it dropped.
"""

from __future__ import annotations

import os
import select
import time

from domain.firmware import LOG_FILES, REMARK

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 4096  # PIPE_BUF: a pipe that polls writable takes this much without blocking
WAITING_MAX = 1 << 20  # bytes that wait for a reader of one stream
LOG_MAX = 1 << 20  # bytes of one log file
_OLDER, _CURRENT = LOG_FILES


class Stream:
    """One of the container's output streams, by descriptor."""

    def __init__(self, descriptor: int, *, terminal: bool = False) -> None:
        self.descriptor = descriptor
        self._terminal = terminal
        self._waiting = bytearray()
        self._dropped = 0
        self._open = True

    @property
    def waiting(self) -> bool:
        """Whether there is something to write, and the reader has not gone."""
        return self._open and bool(self._waiting)

    def put(self, data: bytes) -> None:
        """Append; drop the oldest bytes beyond WAITING_MAX."""
        if not self._open:
            return
        if self._terminal:  # in raw mode: a line feed alone would not return to the left
            data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self._waiting += data
        excess = len(self._waiting) - WAITING_MAX
        if excess > 0:
            del self._waiting[:excess]
            self._dropped += excess

    def write(self) -> None:
        """Write one piece; call when the descriptor polls writable."""
        if self._dropped:
            note = f"\n[{self._dropped} bytes were dropped: nobody read them]\n"
            self._waiting[:0] = note.encode()
            self._dropped = 0
        try:
            del self._waiting[: os.write(self.descriptor, bytes(self._waiting[:PIECE]))]
        except BlockingIOError:
            pass
        except OSError:
            self.stop()  # the reader has gone, or the disk is full

    def stop(self) -> None:
        """Write nothing more to this stream."""
        self._open = False
        self._waiting.clear()


class LogFiles:
    """The latest output, in two files of the container's directory, for `logs`."""

    def __init__(self, directory: int, warn: Callable[[str], None]) -> None:
        self._directory = directory
        self._warn = warn
        self._descriptor = -1
        self._size = 0

    def put(self, data: bytes) -> None:
        """Append; begin a new file when the current one is full."""
        try:
            if self._descriptor < 0 or self._size >= LOG_MAX:
                self._rotate()
            os.write(self._descriptor, data)
            self._size += len(data)
        except OSError as error:
            if self._size >= 0:
                self._size = -LOG_MAX  # warn once, and continue to try
                self._warn(f"cannot keep the log: {error.strerror}")

    def _rotate(self) -> None:
        where = self._directory
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            os.rename(_CURRENT, _OLDER, src_dir_fd=where, dst_dir_fd=where)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(_CURRENT, flags, 0o600, dir_fd=where)
        self._size = 0


class Output:
    """The container's stdout and stderr, and the log of both."""

    def __init__(self, directory: int, *, terminal: bool = False) -> None:
        self.out = Stream(1, terminal=terminal)
        self.err = Stream(2, terminal=terminal)
        self._log = LogFiles(directory, self._warn)

    def _warn(self, text: str) -> None:
        self.err.put(_line(text))

    def firmware(self, data: bytes) -> None:
        """Take what the firmware printed."""
        self._log.put(data)
        self.out.put(data)

    def remark(self, text: str) -> None:
        """Take a remark of the runtime, one line."""
        line = _line(text)
        self._log.put(line)
        self.err.put(line)

    def streams(self) -> list[Stream]:
        """Return the streams that have something to write."""
        return [stream for stream in (self.out, self.err) if stream.waiting]

    def flush(self, seconds: float) -> None:
        """Write what waits to be written; stop waiting for the readers after so many seconds."""
        deadline = time.monotonic() + seconds
        while self.streams() and (left := deadline - time.monotonic()) > 0:
            self.write(left)

    def write(self, seconds: float = 0.0) -> None:
        """Write one piece to each stream whose reader takes it within so many seconds."""
        if streams := self.streams():
            poll = select.poll()
            for stream in streams:
                poll.register(stream.descriptor, select.POLLOUT)
            ready = dict(poll.poll(seconds * 1000))
            for stream in streams:
                if stream.descriptor in ready:
                    stream.write()


def _line(text: str) -> bytes:
    return b"%s%s\n" % (REMARK, text.encode())
