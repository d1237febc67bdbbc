"""The envelopes inside frames: requests, responses and their status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.message import DecodeError

from . import frames
from .envelope_pb2 import KeyValue, Request, Response, Status
from .errors import Code, RpcError

Metadata = Mapping[str, Sequence[str]]

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
    """Bytes of a call. `timeout` is in seconds. Raises RpcError if it does not fit a frame."""
    request = Request(service=service, method=method, payload=payload)
    if timeout is not None:
        # 0 means no limit on the wire; a caller with no time left has a limit.
        request.timeout_nano = max(1, min(_MAX_INT64, int(timeout * _NANO)))
    for key, values in (metadata or {}).items():
        request.metadata.extend(KeyValue(key=key, value=value) for value in values)
    return _frame(stream_id, frames.REQUEST, request.SerializeToString())


def response_frame(stream_id: int, payload: bytes) -> bytes:
    """Bytes of an answer, or of the error that it does not fit a frame."""
    # Status is present and zero, as the Go server sends it: absent is only allowed.
    response = Response(status=Status(), payload=payload)
    try:
        return _frame(stream_id, frames.RESPONSE, response.SerializeToString())
    except RpcError as error:
        return error_frame(stream_id, error)


def error_frame(stream_id: int, error: RpcError) -> bytes:
    """Bytes of a failed call's status; what is too long in it is left out."""
    # A surrogate (an undecodable file name) is no UTF-8, and protobuf would refuse it.
    message = error.message.encode("utf-8", "backslashreplace").decode()
    # An error with code 0 would read as success.
    code = error.code if 0 < error.code <= _MAX_INT32 else Code.UNKNOWN
    status = Status(code=code, message=message, details=error.details)
    response = Response(status=status)
    try:
        return _frame(stream_id, frames.RESPONSE, response.SerializeToString())
    except RpcError:
        return error_frame(stream_id, RpcError(code, message[:1024]))


def parse_request(data: bytes) -> Request:
    """The call in a frame's data. Raises RpcError (invalid argument)."""
    try:
        return Request.FromString(data)
    except DecodeError as error:
        raise RpcError(Code.INVALID_ARGUMENT, f"unmarshal request error: {error}") from error


def parse_response(data: bytes) -> bytes:
    """The payload in a frame's data. Raises RpcError: the call's own, or that it is garbled."""
    try:
        response = Response.FromString(data)
    except DecodeError as error:
        raise RpcError(Code.INTERNAL, f"unmarshal response error: {error}") from error
    status = response.status
    if status.code != Code.OK:
        raise RpcError(status.code, status.message, status.details)
    return response.payload


def metadata_of(pairs: Iterable[KeyValue]) -> dict[str, list[str]]:
    """A request's metadata; a key may come several times."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        found.setdefault(pair.key, []).append(pair.value)
    return found


def _frame(stream_id: int, kind: int, data: bytes) -> bytes:
    try:
        return frames.encode(stream_id, kind, data)
    except frames.FrameTooLarge as error:
        raise RpcError(Code.RESOURCE_EXHAUSTED, str(error)) from error
