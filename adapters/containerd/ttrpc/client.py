"""A ttrpc client: one connection, over which many threads may call at once."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from . import frames, messages, threads
from .errors import Closed, Code, RpcError
from .transport import Stuck, Transport

M = TypeVar("M", bound=Message)

_MAX_STREAM_ID = (1 << 32) - 1


class _Pending:
    """A call whose caller waits for the response."""

    __slots__ = ("done", "error", "payload")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.payload = b""
        self.error: Exception | None = None


class Client:
    """Calls methods over one connected socket, which the client owns. A context manager.

    The thread that reads calls `on_close` once, when the connection has ended for any reason.
    The client does not reconnect: only the caller can decide what to do about a call that the
    server may or may not have carried out.

    The constructor raises RuntimeError if the system gives no thread to read with.
    """

    def __init__(self, sock: socket.socket, on_close: Callable[[], None] | None = None) -> None:
        self._transport = Transport(sock)
        self._on_close = on_close
        self._send_lock = threading.Lock()
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._next_id = 1
        self._reason = "the peer closed the connection"
        self._closed = False
        self._reader = threads.start(self._read)

    @classmethod
    def connect(
        cls,
        address: str,
        timeout: float | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> Client:
        """Connect to a path, or to unix:// and a path; `timeout` is in seconds.

        Raises OSError, and RuntimeError as the constructor does.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(address.removeprefix("unix://"))
            return cls(sock, on_close)
        except BaseException:
            sock.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._closed

    def call(
        self,
        service: str,
        method: str,
        request: Message | None,
        response_type: type[M],
        *,
        timeout: float | None = None,
        metadata: messages.Metadata | None = None,
    ) -> M:
        """Call a method and wait for its response. A request of None is sent as an Empty.

        `timeout` is in seconds; the request carries it to the server. Raises the RpcError that
        the server sent; an RpcError of code DEADLINE_EXCEEDED when the time is up; Closed when
        the connection ends before the response comes.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        payload = b"" if request is None else request.SerializeToString()
        pending = _Pending()
        late = RpcError(Code.DEADLINE_EXCEEDED, f"{service}/{method}: context deadline exceeded")
        if timeout is not None and timeout <= 0:
            raise late  # a request that is sent anyway could be answered in time by chance
        # Stream ids must reach the server in rising order, so one lock covers id and sending.
        if not self._send_lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            raise late
        try:
            stream_id = self._expect(pending)
            left = _left(deadline)
            frame = messages.request_frame(stream_id, service, method, payload, left, metadata)
            self._send(frame, deadline)
        except TimeoutError:
            self._forget(stream_id)
            raise late from None
        except RpcError:
            self._forget(stream_id)
            raise
        finally:
            self._send_lock.release()
        if not pending.done.wait(_left(deadline)):
            self._forget(stream_id)
            raise late
        if pending.error is not None:
            raise pending.error
        try:
            return response_type.FromString(pending.payload)
        except messages.UNREADABLE as error:
            raise RpcError(Code.INTERNAL, f"unmarshal {method} response error: {error}") from error

    def close(self) -> None:
        """Close the connection; calls in flight raise Closed. Safe to repeat."""
        self._hang_up("the connection was closed at this end")
        self._reader.join()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _expect(self, pending: _Pending) -> int:
        with self._lock:
            stream_id = self._next_id
            if self._closed:
                raise Closed(self._reason)
            if stream_id > _MAX_STREAM_ID:
                raise Closed("the connection has used up its stream ids")
            self._pending[stream_id] = pending
            self._next_id += 2
            return stream_id

    def _forget(self, stream_id: int) -> None:
        with self._lock:
            self._pending.pop(stream_id, None)

    def _send(self, frame: bytes, deadline: float | None) -> None:
        try:
            self._transport.send(frame, deadline)
        except Stuck:
            self._hang_up("the peer does not read what it is sent")
            raise
        except TimeoutError:
            raise
        except OSError:
            # Responses may still be in the socket: the reader takes them, then meets the end.
            self._transport.hang_up()

    def _hang_up(self, reason: str) -> None:
        if not self._closed:
            self._reason = reason
            self._transport.hang_up()

    def _read(self) -> None:
        reader = frames.FrameReader()
        try:
            while chunk := self._transport.receive():
                for frame in reader.feed(chunk):
                    self._receive(frame)
        except OSError as error:
            self._reason = f"the connection broke: {os.strerror(error.errno or 0)}"
        except Exception as error:  # callers would wait for ever if the reader ended in silence
            self._reason = f"the connection cannot be read: {type(error).__name__}: {error}"
        with self._lock:
            self._closed = True
            pending, self._pending = self._pending, {}
        # A thread that sends now gets an error, and not a descriptor that something else reuses.
        self._transport.hang_up()
        with self._send_lock:
            self._transport.close()
        for call in pending.values():
            call.error = Closed(self._reason)
            call.done.set()
        if self._on_close is not None:
            self._on_close()

    def _receive(self, frame: frames.Frame | frames.Oversized) -> None:
        if frame.type not in (frames.RESPONSE, frames.DATA):
            return
        with self._lock:
            pending = self._pending.pop(frame.stream_id, None)
        if pending is None:
            return  # the caller's deadline came first
        try:
            if isinstance(frame, frames.Oversized):
                raise RpcError(Code.RESOURCE_EXHAUSTED, frames.too_large(frame.length))
            if frame.type == frames.DATA:
                raise RpcError(Code.INTERNAL, "stream data in answer to a unary call")
            pending.payload = messages.parse_response(frame.data)
        except RpcError as error:
            pending.error = error
        except Exception as error:  # the caller must be woken whatever is wrong with the response
            text = f"cannot read the response: {type(error).__name__}: {error}"
            pending.error = RpcError(Code.INTERNAL, text)
        pending.done.set()


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
