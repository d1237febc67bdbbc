"""The calls in flight of a server: each runs its handler in a thread of its own."""

from __future__ import annotations

import threading
import time

from . import messages, threads
from .connection import Connection
from .context import CallContext
from .errors import Code, RpcError
from .services import Method, Services
from .session import Incoming

_NANO = 1_000_000_000


class Calls:
    """Begins calls, no more than `limit` at once. The server's loop calls `begin`."""

    def __init__(self, services: Services, limit: int) -> None:
        self._services = services
        self._limit = limit
        self._running = 0
        self._lock = threading.Lock()

    def begin(
        self, connection: Connection, incoming: Incoming, *, closing: bool
    ) -> CallContext | None:
        """Start the handler of a call; return the call, or None if it was refused."""
        request = incoming.request
        nanos = request.timeout_nano
        deadline = time.monotonic() + nanos / _NANO if nanos else None
        try:
            method = self._services.find(request.service, request.method)
            if nanos < 0:
                raise RpcError(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
            if closing:
                raise RpcError(Code.UNAVAILABLE, "server is shutting down")
            if self._running >= self._limit:
                raise RpcError(Code.RESOURCE_EXHAUSTED, f"{self._limit} calls are in flight")
        except RpcError as error:
            connection.refuse(incoming.stream_id, error)
            return None
        metadata = messages.metadata_of(request.metadata)
        context = CallContext(request.service, request.method, metadata, deadline)
        connection.open(incoming.stream_id, context)
        payload = request.payload
        with self._lock:
            self._running += 1
        try:
            threads.start(
                lambda: self._run(connection, incoming.stream_id, method, context, payload)
            )
        except (RuntimeError, MemoryError) as error:
            self._ended()
            refusal = RpcError(Code.RESOURCE_EXHAUSTED, f"no thread for the call: {error}")
            connection.refuse(incoming.stream_id, refusal)
            return None
        return context

    def _run(
        self,
        connection: Connection,
        stream_id: int,
        method: Method,
        context: CallContext,
        payload: bytes,
    ) -> None:
        try:
            response = self._services.run(method, context, payload)
            frame = messages.response_frame(stream_id, response)
        except RpcError as error:
            frame = messages.error_frame(stream_id, error)
        except Exception as error:  # the client needs a response, as when memory is short
            text = f"cannot encode the response: {type(error).__name__}: {error}"
            frame = messages.error_frame(stream_id, RpcError(Code.INTERNAL, text))
        finally:
            self._ended()
        connection.answer(stream_id, frame)

    def _ended(self) -> None:
        with self._lock:
            self._running -= 1
