"""Listening sockets in the server's poll set."""

from __future__ import annotations

import errno
import math
import select
import socket
import time

# Between tries to accept while the process is out of descriptors or memory.
_PAUSE = 0.1
_OUT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listeners:
    """Accepts connections. `resume_at` is when to call resume(), infinity for never."""

    def __init__(self, poller: select.poll) -> None:
        self._poller = poller
        self._sockets: dict[int, socket.socket] = {}
        self.resume_at = math.inf

    def __contains__(self, fd: int) -> bool:
        return fd in self._sockets

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, sock: socket.socket) -> None:
        """Poll a socket, which is non-blocking."""
        self._sockets[sock.fileno()] = sock
        self._poller.register(sock, select.POLLIN)

    def accept(self, fd: int) -> socket.socket | None:
        """A new connection, if there still is one and we can take it. Raises OSError."""
        try:
            return self._sockets[fd].accept()[0]
        except (BlockingIOError, ConnectionAbortedError):
            return None
        except OSError as error:
            if error.errno not in _OUT_OF:
                raise
            # They stay readable: polling them would spin until something is freed.
            self._unregister()
            self.resume_at = time.monotonic() + _PAUSE
            return None

    def resume(self) -> None:
        """Accept again after a pause."""
        self.resume_at = math.inf
        for fd in self._sockets:
            self._poller.register(fd, select.POLLIN)

    def close(self) -> None:
        """Accept no more."""
        self._unregister()
        self.resume_at = math.inf
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    def _unregister(self) -> None:
        if self.resume_at == math.inf:
            for fd in self._sockets:
                self._poller.unregister(fd)
