"""A client's socket: sending with a deadline, receiving, hanging up from any thread."""

from __future__ import annotations

import select
import socket
import time

_CHUNK = 64 << 10


class Stuck(TimeoutError):
    """Half a frame is sent and the peer takes no more: the connection is of no further use."""


class Transport:
    """One thread receives and closes; one at a time sends; any may hang up."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock

    def send(self, frame: bytes, deadline: float | None) -> None:
        """Send a whole frame by a moment of time.monotonic().

        Raises TimeoutError if it was not sent by then (Stuck if a part of it was), and another
        OSError if the connection broke.
        """
        view = memoryview(frame)
        while view:
            try:
                view = view[self._sock.send(view, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                if self._poll(select.POLLOUT, deadline):
                    continue
                if len(view) == len(frame):
                    raise TimeoutError from None
                raise Stuck from None

    def receive(self) -> bytes:
        """Wait for bytes; empty at the end. Raises OSError."""
        while True:
            try:
                return self._sock.recv(_CHUNK)
            except BlockingIOError:
                self._poll(select.POLLIN, None)

    def hang_up(self) -> None:
        """Make receive() come to the end. Safe to repeat."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The peer was faster.
            pass

    def close(self) -> None:
        """Give the descriptor back, when no other thread can be using it."""
        self._sock.close()

    def _poll(self, events: int, deadline: float | None) -> bool:
        poller = select.poll()
        poller.register(self._sock, events)
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        return bool(poller.poll(left))
