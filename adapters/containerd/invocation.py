"""How containerd calls the shim's program: Go's flags, then an action.

Source: containerd pkg/shim/shim.go, and its callers in core/runtime/v2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from domain.errors import InvalidRequest

_TEXTS = ("namespace", "id", "address", "publish-binary", "bundle", "socket")
_SWITCHES = ("debug", "info", "v", "version")
_ACTIONS = ("start", "delete")


class Invocation(NamedTuple):
    """What is asked for. `action` is `start`, `delete`, `info` or `version`."""

    action: str
    namespace: str = ""
    id: str = ""
    address: str = ""
    bundle: str = ""
    socket: str = ""
    debug: bool = False


def parse(arguments: Sequence[str]) -> Invocation:
    """Read the command line. Raises InvalidRequest."""
    texts: dict[str, str] = {}
    switches: set[str] = set()
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        name, given, value = rest.pop(0).lstrip("-").partition("=")
        if name in _SWITCHES:
            if value not in ("false", "0"):
                switches.add(name)
        elif name in _TEXTS:
            if not given and not rest:
                raise InvalidRequest(f"flag -{name} needs a value")
            texts[name] = value if given else rest.pop(0)
        else:
            raise InvalidRequest(f"flag -{name} is unknown")
    return Invocation(
        action=_action(rest, switches),
        namespace=texts.get("namespace", ""),
        id=texts.get("id", ""),
        address=texts.get("address", ""),
        bundle=texts.get("bundle", ""),
        socket=texts.get("socket", ""),
        debug="debug" in switches,
    )


def _action(rest: list[str], switches: set[str]) -> str:
    if switches & {"v", "version"}:
        return "version"
    if "info" in switches:
        return "info"
    if len(rest) == 1 and rest[0] in _ACTIONS:
        return rest[0]
    raise InvalidRequest(
        f"action {' '.join(rest)!r} is unknown", hint="containerd calls this with start or delete"
    )
