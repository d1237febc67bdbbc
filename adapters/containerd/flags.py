"""The command line on which containerd calls the shim's program: Go's flags, then an action.

Source: containerd pkg/shim/shim.go, and its callers in core/runtime/v2.
"""

from __future__ import annotations

from domain.errors import InvalidRequest

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

NAME = "containerd-shim-remoteproc-v1"
"""The name of the shim's program: containerd derives it from the runtime's name."""

_TEXT_FLAGS = ("namespace", "id", "address", "publish-binary", "bundle", "socket")
_BOOLEAN_FLAGS = ("debug", "info", "pod", "v", "version")
_ACTIONS = ("start", "delete")


class ShimFlags:
    """The flags, and the action: `start`, `delete`, `info` or `version`.

    `socket` and `pod` (several containers share the shim) are flags of the process that `start`
    leaves; containerd does not give them.
    """

    __slots__ = ("action", "address", "bundle", "debug", "id", "namespace", "pod", "socket")

    def __init__(self, action: str, texts: Mapping[str, str], switches: Container[str]) -> None:
        self.action = action
        self.namespace = texts.get("namespace", "")
        self.id = texts.get("id", "")
        self.address = texts.get("address", "")
        self.bundle = texts.get("bundle", "")
        self.socket = texts.get("socket", "")
        self.debug = "debug" in switches
        self.pod = "pod" in switches


def parse(arguments: Sequence[str]) -> ShimFlags:
    """Read the command line. Raises InvalidRequest."""
    texts: dict[str, str] = {}
    switches: set[str] = set()
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        name, has_value, value = rest.pop(0).lstrip("-").partition("=")
        if name in _BOOLEAN_FLAGS:
            if value not in ("false", "0"):
                switches.add(name)
        elif name in _TEXT_FLAGS:
            if not has_value and not rest:
                raise InvalidRequest(f"flag -{name} needs a value")
            texts[name] = value if has_value else rest.pop(0)
        else:
            raise InvalidRequest(f"flag -{name} is unknown")
    return ShimFlags(_action(rest, switches), texts, switches)


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
