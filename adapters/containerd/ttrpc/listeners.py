"""The listening sockets in the server's poll set."""

from __future__ import annotations

import math
import select
import socket
import time

_PAUSE = 0.1  # seconds between tries to accept while the system refuses, as for lack of descriptors


class Listeners:
    """Accepts connections. `resume_at` is the time to call resume(), infinity for never."""

    def __init__(self, poller: select.poll) -> None:
        self._poller = poller
        self._sockets: dict[int, socket.socket] = {}
        self.resume_at = math.inf

    def __contains__(self, fd: int) -> bool:
        return fd in self._sockets

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, sock: socket.socket) -> None:
        """Poll a listening socket, which must be non-blocking."""
        self._sockets[sock.fileno()] = sock
        self._poller.register(sock, select.POLLIN)

    def accept(self, fd: int) -> socket.socket | None:
        """Return a new connection; None if it has gone, or the system refuses it for now."""
        try:
            return self._sockets[fd].accept()[0]
        except (BlockingIOError, ConnectionAbortedError):
            return None
        except OSError:
            # The sockets stay readable: to poll them would keep the loop busy until it can accept.
            self._unregister()
            self.resume_at = time.monotonic() + _PAUSE
            return None

    def resume(self) -> None:
        """Poll the sockets again after a pause."""
        self.resume_at = math.inf
        for fd in self._sockets:
            self._poller.register(fd, select.POLLIN)

    def close(self) -> None:
        """Close the sockets: no more connections."""
        self._unregister()
        self.resume_at = math.inf
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    def _unregister(self) -> None:
        if self.resume_at == math.inf:
            for fd in self._sockets:
                self._poller.unregister(fd)
