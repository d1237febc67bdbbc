"""What can go wrong: the other end answers with an error (RpcError), or has gone (Closed)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.any_pb2 import Any


class Code(IntEnum):
    """Status codes; they are gRPC's (google/rpc/code.proto)."""

    OK = 0
    CANCELED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RpcError(Exception):
    """The status of a call that failed. A handler raises it; the caller of a client gets it.

    Attributes:
        code: a Code, or an int where the other end has codes of its own.
        message: one line.
        details: messages wrapped in Any.
    """

    def __init__(self, code: int, message: str, details: Iterable[Any] = ()) -> None:
        super().__init__(message)
        try:
            self.code: int = Code(code)
        except ValueError:
            self.code = code
        self.message = message
        self.details = tuple(details)

    def __repr__(self) -> str:
        return f"RpcError({self.code!r}, {self.message!r})"


class Closed(Exception):
    """The connection is closed: the server may or may not have carried out the call."""
