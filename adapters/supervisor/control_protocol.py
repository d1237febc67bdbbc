"""What a supervisor answers to its creator and to commands: success or an error, as JSON."""

from __future__ import annotations

from adapters.encoding.light_json import dumps, loads
from domain import errors
from domain.errors import HostFault, RemoteprocError

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Any

SOCKET = "control"
"""The name of the supervisor's socket in the container's directory."""


def encode(error: RemoteprocError | None) -> bytes:
    """Return the message that carries the error, or success."""
    if error is None:
        return b"{}"
    fields = {"error": _kind(error), "message": error.message, "hint": error.hint}
    if isinstance(error, HostFault):
        fields["errno"] = str(error.errno)
    return dumps(fields).encode()


def _kind(error: RemoteprocError) -> str:
    """Return the name of the error's class, or of its nearest base class in domain.errors.

    The receiver knows the classes of domain.errors; it need not have imported other modules that
    derive errors.
    """
    kinds = type(error).__mro__
    return next(kind.__name__ for kind in kinds if kind.__module__ == errors.__name__)


def decode(message: bytes) -> RemoteprocError | None:
    """Undo `encode`. Raises ValueError where the message is none that `encode` makes."""
    return from_json(read(message))


def read(message: bytes) -> dict[str, Any]:
    """Return the fields of a supervisor's message. Raises ValueError if it has none."""
    try:
        fields = loads(message)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError("no fields")
    return fields


def from_json(fields: dict[str, Any]) -> RemoteprocError | None:
    """Undo `encode`, of a message that `read` has read. Raises ValueError as `decode` does."""
    if not fields:
        return None
    kind = getattr(errors, str(fields.get("error")), None)
    texts = [fields.get("message"), fields.get("hint")]
    if not (isinstance(kind, type) and issubclass(kind, RemoteprocError)):
        raise ValueError("no class of errors")
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("no text")
    if not issubclass(kind, HostFault):
        return kind(str(texts[0]), hint=str(texts[1]))
    return kind(str(texts[0]), hint=str(texts[1]), errno=int(str(fields.get("errno"))))
