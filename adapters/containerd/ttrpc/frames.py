"""The frames of ttrpc: bytes in, frames out, no I/O.

Source: ttrpc PROTOCOL.md. A frame is a header of ten bytes and up to 4 MiB of data.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER = struct.Struct(">IIBB")
MAX_DATA = 4 << 20

REQUEST = 1
RESPONSE = 2
DATA = 3


class Frame(NamedTuple):
    """One message of one stream."""

    stream_id: int
    type: int
    flags: int
    data: bytes


class Oversized(NamedTuple):
    """A frame whose data was longer than allowed; the data is discarded."""

    stream_id: int
    type: int
    length: int


class FrameTooLarge(Exception):
    """Data that does not fit a frame."""


def encode(stream_id: int, kind: int, data: bytes, flags: int = 0) -> bytes:
    """Bytes of a frame. Raises FrameTooLarge above MAX_DATA."""
    if len(data) > MAX_DATA:
        raise FrameTooLarge(too_large(len(data)))
    return HEADER.pack(len(data), stream_id, kind, flags) + data


def too_large(length: int) -> str:
    """What both ends say about such a length, in the Go package's words."""
    return f"message length {length} exceed maximum message size of {MAX_DATA}"


class FrameReader:
    """Cuts a stream of bytes into frames.

    Never holds more than one frame and what came with it: the data of an oversized frame is
    thrown away as it arrives, whatever length its header claims.
    """

    __slots__ = ("_buffer", "_oversized", "_skip")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._oversized: Oversized | None = None
        self._skip = 0

    @property
    def held(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> list[Frame | Oversized]:
        """Take what was received, give the frames that it completes."""
        found: list[Frame | Oversized] = []
        buffer = self._buffer
        buffer += chunk
        at = 0
        while True:
            if self._oversized is not None:
                skipped = min(self._skip, len(buffer) - at)
                at += skipped
                self._skip -= skipped
                if self._skip:
                    break
                found.append(self._oversized)
                self._oversized = None
            if len(buffer) - at < HEADER.size:
                break
            length, stream_id, kind, flags = HEADER.unpack_from(buffer, at)
            if length > MAX_DATA:
                at += HEADER.size
                self._skip = length
                self._oversized = Oversized(stream_id, kind, length)
                continue
            end = at + HEADER.size + length
            if len(buffer) < end:
                break
            data = bytes(memoryview(buffer)[at + HEADER.size : end])
            found.append(Frame(stream_id, kind, flags, data))
            at = end
        del buffer[:at]
        return found
