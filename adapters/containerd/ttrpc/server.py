"""A ttrpc server: one thread for all connections, and one for each call in flight.

The thread in serve() accepts, reads, watches deadlines and flushes; it never waits for a handler
or a peer. A call has a thread of its own while its handler runs, so an idle server has one
thread, and a handler that waits for hours delays no other call.
"""

from __future__ import annotations

import math
import select
import socket
import time
from collections.abc import Callable, Mapping

from google.protobuf.message import Message

from .calls import Calls
from .connection import Connection
from .credentials import same_user
from .listeners import Listeners
from .services import ErrorMap, Handler, Services
from .session import Incoming

_LONGEST_POLL = 3600.0


class Server:
    """Serves registered methods to clients on Unix sockets.

    Args:
        map_error: turns an exception of the application into a status; see services.Services.
        same_user_only: close the connections of peers with another uid (SO_PEERCRED).
        limit: the number of handlers that may run at once; the server responds to a call
            beyond it with RESOURCE_EXHAUSTED.
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
        self._calls = Calls(self._services, limit)
        self._poller = select.poll()
        self._listeners = Listeners(self._poller)
        self._connections: dict[int, Connection] = {}
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._next_deadline = math.inf
        self._stop_at: float | None = None
        self._unused: Callable[[], bool] = lambda: False
        self._unused_seconds = self._unused_until = math.inf

    @property
    def wakeup_fd(self) -> int:
        """The descriptor for signal.set_wakeup_fd, if serve() runs in the main thread.

        A signal that comes right before the loop waits does not end the wait: without this, its
        handler would run only when something else wakes the loop.
        """
        return self._wake_out.fileno()

    def register(self, service: str, methods: Mapping[str, tuple[type[Message], Handler]]) -> None:
        """Serve `{method: (request type, handler)}` under a service's full name.

        handler(context, request) returns the response message, or None for an Empty, or raises.
        Each call runs the handler in a thread of its own. Raises ValueError if the name is taken.
        """
        self._services.register(service, methods)

    def end_unused(self, unused: Callable[[], bool], seconds: float) -> None:
        """End once there has been no connection, and `unused()` was true, for so many seconds."""
        self._unused, self._unused_seconds = unused, seconds

    def serve(self, *sockets: socket.socket) -> None:
        """Serve listening or connected sockets in the calling thread, and close them.

        Returns when a shutdown is complete, or when no socket is left. May be called once.
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
        """Accept no more, finish the calls in flight, close, and let serve() return.

        The server cancels the calls that are still in flight after `grace` seconds. Returns at
        once. May be called from any thread, a signal handler, or a handler, whose own response
        is still sent.
        """
        self._stop_at = time.monotonic() + grace
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_out.send(b"\0")
        except OSError:
            pass  # the buffer is full, so the loop is awake; or the loop has ended

    def _turn(self) -> bool:
        """Run one round of the loop; return False after the last."""
        now = time.monotonic()
        if now >= self._next_deadline:
            connections = self._connections.values()
            self._next_deadline = min((c.expire(now) for c in connections), default=math.inf)
        if now >= self._listeners.resume_at:
            self._listeners.resume()
        self._look_for_use(now)
        if self._stop_at is not None:
            self._drain(now >= self._stop_at)
        for fd, connection in tuple(self._connections.items()):
            self._update_poll(fd, connection)
        if not self._listeners and not self._connections:
            return False
        for fd, events in self._poller.poll(self._poll_time(now)):
            self._handle(fd, events)
        return True

    def _look_for_use(self, now: float) -> None:
        if self._connections or not self._unused():
            self._unused_until = math.inf
        elif self._unused_until == math.inf:
            self._unused_until = now + self._unused_seconds
        elif now >= self._unused_until:
            self._stop_at = now

    def _poll_time(self, now: float) -> int:
        until = min(
            self._next_deadline,
            now + _LONGEST_POLL,
            self._listeners.resume_at,
            self._unused_until,
            math.inf if self._stop_at is None else self._stop_at,
        )
        return max(0, math.ceil((until - now) * 1000))

    def _handle(self, fd: int, events: int) -> None:
        if fd in self._listeners:
            self._accept(fd)
        elif fd in self._connections:
            try:
                if events & select.POLLOUT:
                    self._connections[fd].flush()
                if events & ~select.POLLOUT:
                    self._receive(fd, self._connections[fd])
            except Exception:
                # The loop serves all connections: an error on one, as for lack of memory, ends
                # that one only, and its peer sees the end.
                self._drop(fd)
        elif fd == self._wake_in.fileno():
            self._wake_in.recv(4096)

    def _accept(self, fd: int) -> None:
        sock = self._listeners.accept(fd)
        if sock is not None:
            try:
                self._add(sock)
            except OSError:
                sock.close()  # the peer's credentials cannot be read

    def _add(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.set_inheritable(False)
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self._listeners.add(sock)
        elif self._same_user_only and not same_user(sock):
            sock.close()
        else:
            self._connections[sock.fileno()] = Connection(sock, self._wake)

    def _update_poll(self, fd: int, connection: Connection) -> None:
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
                call = self._calls.begin(connection, event, closing=self._stop_at is not None)
                if call is not None and call.deadline is not None:
                    self._next_deadline = min(self._next_deadline, call.deadline)
            else:
                connection.refuse(event.stream_id, event.error)

    def _drain(self, grace_is_over: bool) -> None:
        self._listeners.close()
        for fd, connection in tuple(self._connections.items()):
            if connection.drain() or grace_is_over:
                self._drop(fd)

    def _drop(self, fd: int) -> None:
        connection = self._connections.pop(fd, None)
        if connection is not None:
            if connection.mask:
                self._poller.unregister(fd)
            connection.close()
