"""What firmware prints and reads: a stream socket, whose other end QEMU holds."""

from __future__ import annotations

import os


class UartConsole:
    """Both directions of one UART; `fd` is -1 where there is none, or once it has ended.

    A UART waits for nobody: when no one reads, the oldest output is lost, not the processor's
    time. (A QEMU whose console socket is full may hang, its monitor included.)
    """

    LIMIT = 1 << 20

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._pending = bytearray()

    def receive(self) -> bytes | None:
        """Take a chunk; None if there is nothing now, b"" if it has ended."""
        data = read_available(self.fd)
        self._pending += data or b""
        if len(self._pending) > self.LIMIT:
            del self._pending[: len(self._pending) - self.LIMIT]
        return data

    def close(self) -> None:
        """Take all there is, once the other side has gone. Repeatable."""
        if self.fd >= 0:
            while self.receive():
                pass
            os.close(self.fd)
            self.fd = -1

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
        """Return how many bytes were taken. Without a reader, all are, for nobody."""
        try:
            return os.write(self.fd, data) if self.fd >= 0 else len(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)


def read_available(fd: int) -> bytes | None:
    """Read a chunk from a descriptor that does not block; None for nothing, b"" for the end."""
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return None
    except OSError:
        return b""
