"""The frames of ttrpc: bytes in, frames out, no I/O.

A frame is a header of ten bytes and up to 4 MiB of data. Source: ttrpc PROTOCOL.md.
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
    """A frame whose data was longer than allowed; the reader has discarded the data."""

    stream_id: int
    type: int
    length: int


class FrameTooLarge(Exception):
    """The data does not fit a frame."""


def encode(stream_id: int, kind: int, data: bytes, flags: int = 0) -> bytes:
    """Return the bytes of a frame. Raises FrameTooLarge above MAX_DATA."""
    if len(data) > MAX_DATA:
        raise FrameTooLarge(too_large(len(data)))
    return HEADER.pack(len(data), stream_id, kind, flags) + data


def too_large(length: int) -> str:
    """Return the error message for such a length, worded as in the Go package."""
    return f"message length {length} exceed maximum message size of {MAX_DATA}"


class FrameReader:
    """Cuts a stream of bytes into frames.

    The reader never holds more than one frame and the chunk that completed it: it discards the
    data of an oversized frame as the data arrives, whatever length the header claims.
    """

    __slots__ = ("_buffer", "_oversized", "_skip")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._oversized: Oversized | None = None
        self._skip = 0

    @property
    def held(self) -> int:
        """The number of bytes held of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> list[Frame | Oversized]:
        """Take received bytes; return the frames that they complete."""
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
