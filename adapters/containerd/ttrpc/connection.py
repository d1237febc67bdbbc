"""One client's connection, as the server holds it: its socket, and its calls in flight.

The server's loop reads, flushes and closes; any thread may answer. The lock covers what both
touch. Nothing here blocks: what the socket does not take at once waits for the loop to flush it.
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
# A peer that does not read its answers is not read from either beyond this backlog.
BACKLOG = 1 << 20


class Connection:
    """`wake` makes the server's loop look at the connection again."""

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
        """The events to poll for."""
        pending = len(self._out)
        reading = select.POLLIN if pending < BACKLOG else 0
        return reading | (select.POLLOUT if pending else 0)

    def receive(self) -> list[Incoming | Refused]:
        """What the peer sent. Raises EOFError when it has gone."""
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
        """Note a call that is to be answered."""
        with self._lock:
            self._calls[stream_id] = context

    def answer(self, stream_id: int, frame: bytes) -> None:
        """Send a call's answer, unless the call was answered or given up meanwhile."""
        with self._lock:
            if self._calls.pop(stream_id, None) is not None:
                self._send(frame)

    def refuse(self, stream_id: int, error: RpcError) -> None:
        """Send an error on a stream. A call in flight on it has had its answer with that."""
        with self._lock:
            context = self._calls.pop(stream_id, None)
            self._send(messages.error_frame(stream_id, error))
        if context is not None:
            context.cancel()

    def expire(self, now: float) -> float:
        """Answer the calls whose deadline has passed; give the next deadline, or infinity."""
        late: list[tuple[int, CallContext]] = []
        following = math.inf
        with self._lock:
            for stream_id, context in self._calls.items():
                if context.deadline is None:
                    continue
                if context.deadline <= now:
                    late.append((stream_id, context))
                else:
                    following = min(following, context.deadline)
        for stream_id, context in late:
            error = RpcError(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
            self.answer(stream_id, messages.error_frame(stream_id, error))
            context.cancel()
        return following

    def flush(self) -> None:
        """Send what the socket takes of the answers that wait."""
        with self._lock:
            if self._out and not self._closed:
                del self._out[: self._write(self._out)]

    def drain(self) -> bool:
        """From now on wake the loop at every answer; say whether all have been sent."""
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
