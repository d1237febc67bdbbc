"""One client's connection in the server: the socket, and the calls in flight.

The server's loop reads, flushes and closes; any thread may send a response. The lock protects
what both use. No method blocks: bytes that the socket does not take at once are kept until the
loop flushes them.
"""

from __future__ import annotations

import math
import select
import socket
import threading
from collections.abc import Callable

from . import messages
from .context import CallContext
from .errors import Code, RpcError
from .session import Incoming, Refused, ServerSession

CHUNK = 64 << 10
# Bytes of responses that the peer has not read; above that, the server reads no more from the peer.
BACKLOG = 1 << 20


class Connection:
    """The server's end of a connection; `wake` makes the server's loop look at it again."""

    def __init__(self, sock: socket.socket, wake: Callable[[], None]) -> None:
        self._sock = sock
        self._wake = wake
        self._session = ServerSession()
        self._lock = threading.Lock()
        self._calls: dict[int, CallContext] = {}
        self._out = bytearray()
        self._draining = False
        self._closed = False
        self.broken = False
        self.mask = 0

    def wanted(self) -> int:
        """Return the events to poll for."""
        pending = len(self._out)
        reading = select.POLLIN if pending < BACKLOG else 0
        return reading | (select.POLLOUT if pending else 0)

    def receive(self) -> list[Incoming | Refused]:
        """Return what the peer sent. Raises EOFError when the peer has gone."""
        try:
            chunk = self._sock.recv(CHUNK)
        except BlockingIOError:
            return []
        except OSError as error:
            raise EOFError(str(error)) from error
        if not chunk:
            raise EOFError
        return self._session.receive(chunk)

    def open(self, stream_id: int, context: CallContext) -> None:
        """Register a call, whose response is to come."""
        with self._lock:
            self._calls[stream_id] = context

    def answer(self, stream_id: int, frame: bytes) -> None:
        """Send a call's response, unless the call has had one or was cancelled meanwhile."""
        with self._lock:
            if self._calls.pop(stream_id, None) is not None:
                self._send(frame)

    def refuse(self, stream_id: int, error: RpcError) -> None:
        """Send an error on a stream; a call in flight on that stream is cancelled."""
        with self._lock:
            context = self._calls.pop(stream_id, None)
            self._send(messages.error_frame(stream_id, error))
        if context is not None:
            context.cancel()

    def expire(self, now: float) -> float:
        """Send an error for each call past its deadline; return the next deadline, or infinity."""
        late: list[tuple[int, CallContext]] = []
        next_deadline = math.inf
        with self._lock:
            for stream_id, context in self._calls.items():
                if context.deadline is None:
                    continue
                if context.deadline <= now:
                    late.append((stream_id, context))
                else:
                    next_deadline = min(next_deadline, context.deadline)
        for stream_id, context in late:
            error = RpcError(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
            self.answer(stream_id, messages.error_frame(stream_id, error))
            context.cancel()
        return next_deadline

    def flush(self) -> None:
        """Send as many bytes of the waiting responses as the socket takes."""
        with self._lock:
            if self._out and not self._closed:
                del self._out[: self._write(self._out)]

    def drain(self) -> bool:
        """Return whether all responses are sent; from now on each response wakes the loop."""
        with self._lock:
            self._draining = True
            return not self._calls and not self._out

    def close(self) -> None:
        """Close the socket and cancel the calls in flight."""
        with self._lock:
            self._closed = True
            calls, self._calls = self._calls, {}
            self._sock.close()
        for context in calls.values():
            context.cancel()

    def _send(self, frame: bytes) -> None:
        if self._closed:
            return
        sent = self._write(frame) if not self._out else 0
        if sent < len(frame):
            self._out += memoryview(frame)[sent:]
        if self._out or self._draining or self.broken:
            self._wake()

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return self._sock.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0
        except OSError:
            self.broken = True
            return 0
