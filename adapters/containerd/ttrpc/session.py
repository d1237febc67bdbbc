"""The server's side of one connection, without I/O: which frames are calls, which are errors.

Source of the rules and of the wording of messages: ttrpc server.go.
"""

from __future__ import annotations

from typing import NamedTuple

from . import frames, messages
from .envelope_pb2 import Request
from .errors import Code, RpcError


class Incoming(NamedTuple):
    """A request for the server to carry out."""

    stream_id: int
    request: Request


class Refused(NamedTuple):
    """A frame to which the server can only respond with an error."""

    stream_id: int
    error: RpcError


class ServerSession:
    """Checks the frames that a client sends."""

    __slots__ = ("_last_id", "_reader")

    def __init__(self) -> None:
        self._reader = frames.FrameReader()
        self._last_id = 0

    def receive(self, chunk: bytes) -> list[Incoming | Refused]:
        """Take received bytes; return the calls and errors in them, in their order."""
        events = (self._event(frame) for frame in self._reader.feed(chunk))
        return [event for event in events if event is not None]

    def _event(self, frame: frames.Frame | frames.Oversized) -> Incoming | Refused | None:
        stream_id = frame.stream_id
        if isinstance(frame, frames.Oversized):
            return _refused(stream_id, Code.RESOURCE_EXHAUSTED, frames.too_large(frame.length))
        if stream_id % 2 != 1:
            text = "StreamID must be odd for client initiated streams"
            return _refused(stream_id, Code.INVALID_ARGUMENT, text)
        if frame.type == frames.DATA:
            # Only streaming calls take data, and this server has none.
            return _refused(stream_id, Code.INVALID_ARGUMENT, "StreamID is no longer active")
        if frame.type != frames.REQUEST:
            return None  # a type of a later version of the protocol
        if stream_id <= self._last_id:
            text = "StreamID cannot be re-used and must increment"
            return _refused(stream_id, Code.INVALID_ARGUMENT, text)
        self._last_id = stream_id
        try:
            return Incoming(stream_id, messages.parse_request(frame.data))
        except RpcError as error:
            return Refused(stream_id, error)


def _refused(stream_id: int, code: Code, message: str) -> Refused:
    return Refused(stream_id, RpcError(code, message))
