"""What a supervisor and those who ask it say to each other: one JSON object a packet."""

from __future__ import annotations

import json
from typing import Any

from domain import errors
from domain.errors import HostFault, RemoteprocError

LIMIT = 1 << 16


def encode(error: RemoteprocError | None) -> bytes:
    """Return the answer that carries the error, or success."""
    if error is None:
        return b"{}"
    fields = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    if isinstance(error, HostFault):
        fields["errno"] = str(error.errno)
    return json.dumps(fields).encode()[:LIMIT]


def decode(answer: bytes) -> RemoteprocError | None:
    """Undo `encode`."""
    return decoded(json.loads(answer))


def decoded(fields: dict[str, Any]) -> RemoteprocError | None:
    """Undo `encode`, JSON already read."""
    if "error" not in fields:
        return None
    kind = getattr(errors, fields["error"], RemoteprocError)
    extra = {"errno": int(fields["errno"])} if "errno" in fields else {}
    error: RemoteprocError = kind(fields["message"], hint=fields["hint"], **extra)
    return error
