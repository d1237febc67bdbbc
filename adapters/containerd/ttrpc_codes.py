"""The one place that gives the domain's errors their ttrpc codes."""

from __future__ import annotations

from adapters.containerd.ttrpc.errors import Code, RpcError
from domain import errors
from domain.text import printable

_CODES = (
    (errors.NotFound, Code.NOT_FOUND),
    (errors.AlreadyExists, Code.ALREADY_EXISTS),
    (errors.WrongState, Code.FAILED_PRECONDITION),
    (errors.Busy, Code.FAILED_PRECONDITION),
    (errors.Forbidden, Code.PERMISSION_DENIED),
    (errors.InvalidRequest, Code.INVALID_ARGUMENT),
    (errors.Unsupported, Code.UNIMPLEMENTED),
)


def map_error(error: Exception) -> RpcError:
    """Return the status to answer with; its message is one line, for engines show it to users."""
    if isinstance(error, errors.RemoteprocError):
        code = next((code for kind, code in _CODES if isinstance(error, kind)), Code.UNKNOWN)
        return RpcError(code, str(error))
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return RpcError(Code.UNKNOWN, printable(f"{name}{errors.reason(error)}"))
    return RpcError(Code.INTERNAL, errors.internal_error(error))
