"""Protobuf's wire format without the library, whose import takes longer than an action may."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator

    Field = tuple[int, int | bytes]

_ALL_64 = (1 << 64) - 1  # a negative number goes as its two's complement


def read_fields(data: bytes) -> Iterator[Field]:
    """Yield the number and value of each field: bytes where it has a length, else a number.

    Raises ValueError if `data` is no message.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("field 0")
        if kind == 0:
            number_value, at = _varint(data, at)
            yield number, number_value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(data):
            raise ValueError("cut short")
        value = data[at : at + size]
        yield number, value if kind == 2 else int.from_bytes(value, "little")
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("too long a number")


def number_field(number: int, value: int) -> bytes:
    """Return the bytes of an integer field of 64 bits; as protobuf does, leave out a 0."""
    return _number(number << 3) + _number(value & _ALL_64) if value else b""


def text_field(number: int, text: str) -> bytes:
    """Return the bytes of a string field; as protobuf does, leave out an empty one."""
    return message_field(number, text.encode()) if text else b""


def message_field(number: int, message: bytes) -> bytes:
    """Return the bytes of a field that is a message; an empty message is not left out."""
    return _number(number << 3 | 2) + _number(len(message)) + message


def timestamp(seconds: float) -> bytes:
    """Return seconds since the epoch as a google.protobuf.Timestamp."""
    return number_field(1, int(seconds)) + number_field(2, nanoseconds(seconds))


def nanoseconds(seconds: float) -> int:
    """Return the fraction of a time in seconds."""
    return int((seconds - int(seconds)) * 1e9)


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
