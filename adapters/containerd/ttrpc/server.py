"""A ttrpc server: one thread for all connections, one for each call in flight.

The thread in serve() accepts, reads, keeps deadlines and flushes; it never waits for a handler
nor for a peer. A call has a thread of its own only while its handler runs, so an idle server is
one thread, and a Wait of hours holds up nothing but itself.
"""

from __future__ import annotations

import math
import select
import socket
import threading
import time
from collections.abc import Mapping

from google.protobuf.message import Message

from . import messages, threads
from .connection import Connection
from .context import CallContext
from .credentials import same_user
from .errors import Code, RpcError
from .listeners import Listeners
from .services import ErrorMap, Handler, Method, Services
from .session import Incoming

_LONGEST_POLL = 3600.0
_NANO = 1_000_000_000


class Server:
    """Serves registered methods to Unix socket clients.

    Args:
        map_error: gives an exception of the application's its status; see services.Services.
        same_user_only: close connections of peers with another uid (SO_PEERCRED).
        limit: handlers that may run at once; a call beyond is answered ResourceExhausted.
    """

    def __init__(
        self,
        *,
        map_error: ErrorMap | None = None,
        same_user_only: bool = False,
        limit: int = 1024,
    ) -> None:
        self._services = Services(map_error)
        self._same_user_only = same_user_only
        self._limit = limit
        self._running = 0
        self._lock = threading.Lock()
        self._poller = select.poll()
        self._listeners = Listeners(self._poller)
        self._connections: dict[int, Connection] = {}
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._next_deadline = math.inf
        self._stop_at: float | None = None

    def register(self, service: str, methods: Mapping[str, tuple[type[Message], Handler]]) -> None:
        """Serve `{method: (request type, handler)}` under a service's full name.

        handler(context, request) returns the response message, or None for an Empty, or raises.
        It runs in a thread of its own, many at once. Raises ValueError if the name is taken.
        """
        self._services.register(service, methods)

    def serve(self, *sockets: socket.socket) -> None:
        """Serve listening or connected sockets, which it will close, in the calling thread.

        Returns when shutdown() is done, or when there is nothing left to serve. Once only.
        """
        self._poller.register(self._wake_in, select.POLLIN)
        try:
            for sock in sockets:
                self._add(sock)
            while self._turn():
                pass
        finally:
            self._listeners.close()
            for fd in tuple(self._connections):
                self._drop(fd)
            self._wake_in.close()
            self._wake_out.close()

    def shutdown(self, grace: float = math.inf) -> None:
        """Stop accepting, answer the calls in flight, close, and let serve() return.

        What is unanswered after `grace` seconds is cancelled. Returns at once; may be called
        from a handler (whose own answer is still sent), a signal handler, or any thread.
        """
        self._stop_at = time.monotonic() + grace
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_out.send(b"\0")
        except OSError:
            # Full: the loop is awake. Closed: there is no loop any more.
            pass

    def _turn(self) -> bool:
        """One round of the loop; False when it was the last."""
        now = time.monotonic()
        if now >= self._next_deadline:
            connections = self._connections.values()
            self._next_deadline = min((c.expire(now) for c in connections), default=math.inf)
        if now >= self._listeners.resume_at:
            self._listeners.resume()
        if self._stop_at is not None:
            self._drain(now >= self._stop_at)
        for fd, connection in tuple(self._connections.items()):
            self._settle(fd, connection)
        if not self._listeners and not self._connections:
            return False
        for fd, events in self._poller.poll(self._poll_time(now)):
            self._handle(fd, events)
        return True

    def _poll_time(self, now: float) -> int:
        until = min(
            self._next_deadline,
            now + _LONGEST_POLL,
            self._listeners.resume_at,
            math.inf if self._stop_at is None else self._stop_at,
        )
        return max(0, math.ceil((until - now) * 1000))

    def _handle(self, fd: int, events: int) -> None:
        if fd in self._listeners:
            sock = self._listeners.accept(fd)
            if sock is not None:
                self._add(sock)
        elif fd in self._connections:
            if events & select.POLLOUT:
                self._connections[fd].flush()
            if events & ~select.POLLOUT:
                self._receive(fd, self._connections[fd])
        elif fd == self._wake_in.fileno():
            self._wake_in.recv(4096)

    def _add(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.set_inheritable(False)
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self._listeners.add(sock)
        elif self._same_user_only and not same_user(sock):
            sock.close()
        else:
            self._connections[sock.fileno()] = Connection(sock, self._wake)

    def _settle(self, fd: int, connection: Connection) -> None:
        wanted = connection.wanted()
        if connection.broken:
            self._drop(fd)
        elif wanted != connection.mask:
            self._poller.register(fd, wanted)
            connection.mask = wanted

    def _receive(self, fd: int, connection: Connection) -> None:
        try:
            events = connection.receive()
        except EOFError:
            self._drop(fd)
            return
        for event in events:
            if isinstance(event, Incoming):
                self._begin(connection, event)
            else:
                connection.refuse(event.stream_id, event.error)

    def _begin(self, connection: Connection, incoming: Incoming) -> None:
        request = incoming.request
        nanos = request.timeout_nano
        deadline = time.monotonic() + nanos / _NANO if nanos else None
        try:
            method = self._services.find(request.service, request.method)
            if nanos < 0:
                raise RpcError(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
            if self._stop_at is not None:
                raise RpcError(Code.UNAVAILABLE, "server is shutting down")
            if self._running >= self._limit:
                raise RpcError(Code.RESOURCE_EXHAUSTED, f"{self._limit} calls are in flight")
        except RpcError as error:
            connection.refuse(incoming.stream_id, error)
            return
        metadata = messages.metadata_of(request.metadata)
        context = CallContext(request.service, request.method, metadata, deadline)
        connection.open(incoming.stream_id, context)
        if deadline is not None:
            self._next_deadline = min(self._next_deadline, deadline)
        payload = request.payload
        with self._lock:
            self._running += 1
        try:
            threads.start(
                lambda: self._run(connection, incoming.stream_id, method, context, payload),
                f"ttrpc {request.method}",
            )
        except RuntimeError as error:
            self._ended()
            refusal = RpcError(Code.RESOURCE_EXHAUSTED, f"no thread for the call: {error}")
            connection.refuse(incoming.stream_id, refusal)

    def _run(
        self,
        connection: Connection,
        stream_id: int,
        method: Method,
        context: CallContext,
        payload: bytes,
    ) -> None:
        try:
            answer = self._services.run(method, context, payload)
            frame = messages.response_frame(stream_id, answer)
        except RpcError as error:
            frame = messages.error_frame(stream_id, error)
        finally:
            self._ended()
        connection.answer(stream_id, frame)

    def _ended(self) -> None:
        with self._lock:
            self._running -= 1

    def _drain(self, now_or_never: bool) -> None:
        self._listeners.close()
        for fd, connection in tuple(self._connections.items()):
            if connection.drain() or now_or_never:
                self._drop(fd)

    def _drop(self, fd: int) -> None:
        connection = self._connections.pop(fd)
        if connection.mask:
            self._poller.unregister(fd)
        connection.close()
