"""The messages inside frames: requests, and responses with their status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.message import DecodeError

from . import frames
from .envelope_pb2 import KeyValue, Request, Response, Status
from .errors import Code, RpcError

Metadata = Mapping[str, Sequence[str]]

UNREADABLE = (DecodeError, UnicodeDecodeError)
"""What FromString raises; the second for text that is no UTF-8, by protobuf in pure Python."""

_NANO = 1_000_000_000
_MAX_INT32 = (1 << 31) - 1
_MAX_INT64 = (1 << 63) - 1


def request_frame(
    stream_id: int,
    service: str,
    method: str,
    payload: bytes,
    timeout: float | None = None,
    metadata: Metadata | None = None,
) -> bytes:
    """Return the bytes of a request; `timeout` is in seconds.

    Raises RpcError (RESOURCE_EXHAUSTED) if the request is too long for a frame.
    """
    request = Request(service=service, method=method, payload=payload)
    if timeout is not None:
        # In the message 0 means no limit, but a caller whose time is up has one.
        request.timeout_nano = max(1, min(_MAX_INT64, int(timeout * _NANO)))
    for key, values in (metadata or {}).items():
        request.metadata.extend(KeyValue(key=key, value=value) for value in values)
    return _frame(stream_id, frames.REQUEST, request.SerializeToString())


def response_frame(stream_id: int, payload: bytes) -> bytes:
    """Return a response's bytes, or those of an error if the response is too long for a frame."""
    # The status is present and zero, as the Go server sends it.
    response = Response(status=Status(), payload=payload)
    try:
        return _frame(stream_id, frames.RESPONSE, response.SerializeToString())
    except RpcError as error:
        return error_frame(stream_id, error)


def error_frame(stream_id: int, error: RpcError) -> bytes:
    """Return the bytes of a failed call's status, shortened if it is too long for a frame."""
    # Protobuf refuses a surrogate, which stands for an undecodable byte of a file name.
    message = error.message.encode("utf-8", "backslashreplace").decode()
    # The client would take an error of code 0 for success.
    code = error.code if 0 < error.code <= _MAX_INT32 else Code.UNKNOWN
    status = Status(code=code, message=message, details=error.details)
    response = Response(status=status)
    try:
        return _frame(stream_id, frames.RESPONSE, response.SerializeToString())
    except RpcError:
        return error_frame(stream_id, RpcError(code, message[:1024]))


def parse_request(data: bytes) -> Request:
    """Return the request in a frame's data. Raises RpcError (INVALID_ARGUMENT)."""
    try:
        return Request.FromString(data)
    except UNREADABLE as error:
        raise RpcError(Code.INVALID_ARGUMENT, f"unmarshal request error: {error}") from error


def parse_response(data: bytes) -> bytes:
    """Return the payload in a frame's data.

    Raises the RpcError in the response, or one of code INTERNAL if the response is garbled.
    """
    try:
        response = Response.FromString(data)
    except UNREADABLE as error:
        raise RpcError(Code.INTERNAL, f"unmarshal response error: {error}") from error
    status = response.status
    if status.code != Code.OK:
        raise RpcError(status.code, status.message, status.details)
    return response.payload


def metadata_of(pairs: Iterable[KeyValue]) -> dict[str, list[str]]:
    """Return a request's metadata; a key may occur several times."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        found.setdefault(pair.key, []).append(pair.value)
    return found


def _frame(stream_id: int, kind: int, data: bytes) -> bytes:
    try:
        return frames.encode(stream_id, kind, data)
    except frames.FrameTooLarge as error:
        raise RpcError(Code.RESOURCE_EXHAUSTED, str(error)) from error
