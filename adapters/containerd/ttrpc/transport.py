"""A client's socket: sends with a deadline, receives, and hangs up from any thread."""

from __future__ import annotations

import select
import socket
import time

_CHUNK = 64 << 10


class Stuck(TimeoutError):
    """The peer took a part of a frame and no more: nothing else can be sent on the connection."""


class Transport:
    """One thread receives and closes; one thread at a time sends; any thread may hang up."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock

    def send(self, frame: bytes, deadline: float | None) -> None:
        """Send a whole frame before a deadline on time.monotonic()'s clock.

        Raises TimeoutError if no part of the frame was sent by then, Stuck if a part was, and
        another OSError if the connection broke.
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
        """Wait for bytes and return them; no bytes mean the end. Raises OSError."""
        while True:
            try:
                return self._sock.recv(_CHUNK)
            except BlockingIOError:
                self._poll(select.POLLIN, None)

    def hang_up(self) -> None:
        """Make receive() return the end. Safe to repeat."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer has hung up already

    def close(self) -> None:
        """Close the descriptor; the caller makes sure that no other thread uses it."""
        self._sock.close()

    def _poll(self, events: int, deadline: float | None) -> bool:
        poller = select.poll()
        poller.register(self._sock, events)
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        return bool(poller.poll(left))
