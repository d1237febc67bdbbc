"""Protobuf's wire format without the library, whose import takes too long for `start`."""

from __future__ import annotations

from collections.abc import Iterator

Field = tuple[int, int | bytes]


def read_fields(data: bytes) -> Iterator[Field]:
    """Yield the number and value of each field. Raises ValueError if `data` is no message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("field 0")
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(data):
            raise ValueError("cut short")
        yield number, data[at : at + size]
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
    """Return the bytes of an integer field; the value is not negative."""
    return _number(number << 3) + _number(value)


def text_field(number: int, text: str) -> bytes:
    """Return the bytes of a string field."""
    data = text.encode()
    return _number(number << 3 | 2) + _number(len(data)) + data


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
