"""What firmware prints and reads: stream sockets, whose other ends QEMU holds."""

from __future__ import annotations

import os


class Console:
    """Output of all sources in the order of arrival; input goes to the first source.

    A UART waits for nobody: when no one reads, the oldest output is lost, not the processor's
    time. (A QEMU whose console socket is full hangs with all its monitors, too.)
    """

    LIMIT = 1 << 20

    def __init__(self, sources: list[int]) -> None:
        self._input = sources[0] if sources else -1
        self.sources = sources
        self._pending = bytearray()

    def receive(self, fd: int) -> bytes | None:
        """Take a chunk from one source; None if it has nothing now, b"" if it has ended."""
        data = read_now(fd)
        self._pending += data or b""
        if len(self._pending) > self.LIMIT:
            del self._pending[: len(self._pending) - self.LIMIT]
        if data == b"":
            self.sources.remove(fd)
            os.close(fd)
        return data

    def close(self) -> None:
        """Take all there is, once the other side has gone."""
        for fd in list(self.sources):
            while self.receive(fd):
                pass
        while self.sources:
            os.close(self.sources.pop())

    @property
    def pending(self) -> bool:
        """Whether there is something to `read`."""
        return bool(self._pending)

    def read(self) -> bytes:
        """Return what has arrived since the last call."""
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def write(self, data: bytes) -> int:
        """Return how many bytes were taken. Without an input, all are, for nobody."""
        if self._input not in self.sources:
            return len(data)
        try:
            return os.write(self._input, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)


def read_now(fd: int) -> bytes | None:
    """Read a chunk from a descriptor that does not block; None for nothing, b"" for the end."""
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return None
    except OSError:
        return b""
