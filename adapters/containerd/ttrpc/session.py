"""The server's side of one connection, without I/O: which frames are calls, which are wrong.

Source of the rules and of the messages' wording: ttrpc server.go.
"""

from __future__ import annotations

from typing import NamedTuple

from . import frames, messages
from .envelope_pb2 import Request
from .errors import Code, RpcError


class Incoming(NamedTuple):
    """A call to carry out."""

    stream_id: int
    request: Request


class Refused(NamedTuple):
    """A frame that can only be answered with an error."""

    stream_id: int
    error: RpcError


class ServerSession:
    """Checks what a client sends, frame by frame."""

    __slots__ = ("_last_id", "_reader")

    def __init__(self) -> None:
        self._reader = frames.FrameReader()
        self._last_id = 0

    def receive(self, chunk: bytes) -> list[Incoming | Refused]:
        """Take received bytes; give the calls and errors they amount to, in their order."""
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
            # Only streaming calls take data, and there are none here.
            return _refused(stream_id, Code.INVALID_ARGUMENT, "StreamID is no longer active")
        if frame.type != frames.REQUEST:
            # Types to come must not break today's servers.
            return None
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
