"""Carries what the firmware prints to the container's stdout, and keeps the latest part of it.

A reader that does not read must not hold up the firmware or its supervisor: the supervisor
writes only to a stream that takes data, keeps a bounded amount waiting, and says how many bytes
it dropped.
"""

from __future__ import annotations

import os
import select
import time
from errno import ENOSPC

from domain.firmware import LOG_FILES
from domain.log_format import encode_output, encode_remark
from domain.text import printable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 4096  # PIPE_BUF: a pipe that polls writable takes this much without blocking
WAITING_MAX = 1 << 20  # bytes that wait for a reader of one stream
LOG_MAX = 1 << 20  # bytes of one log file
_OLDER, _CURRENT = LOG_FILES
_NAME = b"remoteproc-runtime: "  # the beginning of a remark


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

    def take_dropped(self) -> int:
        """Return how many bytes were dropped since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped

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
    """The latest output, in two files of the container's directory, for `logs`.

    The current file's time is that of the firmware's last output: a health check can see that the
    firmware prints nothing any more, whatever the runtime itself remarks.
    """

    def __init__(self, directory: int, warn: Callable[[str], None]) -> None:
        self._directory = directory
        self._warn = warn
        self._descriptor = -1
        self._size = 0
        self._warned = False
        self._last_output = 0  # nanoseconds since the epoch

    def firmware(self, data: bytes) -> None:
        """Append what the firmware printed."""
        self._put(encode_output(data))
        self._last_output = time.time_ns()

    def remark(self, line: bytes) -> None:
        """Append a remark of the runtime; the file's time stays."""
        self._put(encode_remark(line))
        if self._descriptor >= 0:
            try:
                os.utime(self._descriptor, ns=(self._last_output, self._last_output))
            except OSError:
                pass  # a health check takes the remark for output, once

    def _put(self, data: bytes) -> None:
        """Append all of it or nothing; begin a new file when the current one is full."""
        try:
            if self._descriptor < 0 or self._size >= LOG_MAX:
                self._rotate()
            if os.write(self._descriptor, data) < len(data):
                os.ftruncate(self._descriptor, self._size)  # a part could pass for a remark
                raise OSError(ENOSPC, os.strerror(ENOSPC))
            self._size += len(data)
        except OSError as error:
            if not self._warned:
                self._warned = True  # warn once, and continue to try
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
        self._line_open = False  # the firmware has begun a line, after which no remark may stand

    def _warn(self, text: str) -> None:
        self._say(_line(text))

    def firmware(self, data: bytes) -> None:
        """Take what the firmware printed."""
        self._line_open = not data.endswith(b"\n")
        self._log.firmware(data)
        self.out.put(data)

    def remark(self, text: str) -> None:
        """Take a remark of the runtime."""
        line = _line(text)
        self._log.remark(line)
        self._say(line)

    def _say(self, line: bytes) -> None:
        self.err.put(b"\n" + line if self._line_open else line)
        self._line_open = False

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
                    if dropped := stream.take_dropped():
                        self.remark(f"{dropped} bytes of output were dropped: nobody read them")
                    stream.write()


def _line(text: str) -> bytes:
    return b"%s%s\n" % (_NAME, printable(text).encode())
