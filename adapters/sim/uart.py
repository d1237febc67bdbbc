"""The UART of a simulated processor: a stream socket whose other end QEMU holds."""

from __future__ import annotations

import os


class UartConsole:
    """Input and output of one UART; `fd` is -1 without a UART, and after QEMU has closed it.

    The firmware never waits for a reader: output over `LIMIT` bytes that nobody reads is dropped,
    the oldest first. (A QEMU whose console socket is full may hang, its monitor included.)
    """

    LIMIT = 1 << 20

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._pending = bytearray()

    def receive(self) -> bytes | None:
        """Receive and keep a chunk of output; None if there is none now, b"" at the end."""
        data = read_available(self.fd)
        self._pending += data or b""
        if len(self._pending) > self.LIMIT:
            del self._pending[: len(self._pending) - self.LIMIT]
        return data

    def close(self) -> None:
        """Receive the last output after QEMU has ended, and close the socket. Repeatable."""
        if self.fd >= 0:
            while self.receive():
                pass
            os.close(self.fd)
            self.fd = -1

    @property
    def pending(self) -> bool:
        """Whether `read` would return any output."""
        return bool(self._pending)

    def read(self) -> bytes:
        """Return the output received since the last call."""
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def write(self, data: bytes) -> int:
        """Return how many bytes the UART took. Without a UART, all are dropped."""
        try:
            return os.write(self.fd, data) if self.fd >= 0 else len(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)


def read_available(fd: int) -> bytes | None:
    """Read a chunk from a non-blocking descriptor; None if there is none now, b"" at the end."""
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return None
    except OSError:
        return b""
