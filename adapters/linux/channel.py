"""Whole messages of any length between two processes, over a stream socket.

A stream socket has no limit for one message, and loses and cuts nothing: each message goes with
its length before it.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from _socket import socket  # of which socket.socket is a subclass

LIMIT = 1 << 26
"""Bytes of a message. A longer one is a mistake, which must not fill the receiver's memory."""
_LENGTH = 4  # bytes before each message


class Channel:
    """One end of a connected stream socket, which the channel owns from now on."""

    def __init__(self, connection: socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        """Return the descriptor, to poll for messages."""
        return self._connection.fileno()

    def settimeout(self, seconds: float | None) -> None:
        """Let `send` and `receive` raise TimeoutError when the peer takes longer for a step."""
        self._connection.settimeout(seconds)

    def send(self, message: bytes) -> None:
        """Send a message, which must not be empty. Raises OSError."""
        if len(message) > LIMIT:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self._connection.sendall(len(message).to_bytes(_LENGTH, "little") + message)

    def receive(self) -> bytes:
        """Wait for a message; return b"" if the peer has closed its end. Raises OSError."""
        head = self._exactly(_LENGTH)
        size = int.from_bytes(head, "little")
        if size > LIMIT:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        """Return so many bytes; b"" if the peer has closed its end before the last of them."""
        parts = []
        while size:
            part = self._connection.recv(min(size, 1 << 16))
            if not part:
                return b""
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close this end; further calls do nothing."""
        self._connection.close()
