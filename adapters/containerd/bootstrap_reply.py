"""What containerd writes to the stdin of `start`, and the three forms of the reply to it.

containerd up to 1.6 reads a bare address. From 1.7 to 2.2 it reads JSON as well, and limits the
version in it. From 2.3 on it reads a BootstrapResult, and writes BootstrapParams to stdin instead
of the runtime's options.
Source: containerd core/runtime/v2/{binary,shim}.go and pkg/shim/compat.go.
"""

from __future__ import annotations

from adapters.containerd.protobuf_wire import number_field, read_fields, text_field
from adapters.encoding.light_json import dumps

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

STDIN_MAX = 10 << 20  # bytes, as in Go's shims


class Bootstrap:
    """What containerd from 2.3 on writes; an absent value is empty."""

    __slots__ = ("grpc_address", "socket_directory", "ttrpc_address")

    def __init__(
        self, ttrpc_address: str = "", grpc_address: str = "", socket_directory: str = ""
    ) -> None:
        self.ttrpc_address = ttrpc_address
        self.grpc_address = grpc_address
        self.socket_directory = socket_directory


def read_bootstrap(stdin: bytes, container: str, namespace: str) -> Bootstrap | None:
    """Return the BootstrapParams in stdin, or None if stdin holds something else.

    The runtime's options may decode as BootstrapParams, so only those that name this container
    count.
    """
    try:
        # As protobuf does: the last counts, and what is no text where a text belongs is unknown.
        texts = {key: value for key, value in read_fields(stdin) if isinstance(value, bytes)}
    except ValueError:
        return None
    if (texts.get(1), texts.get(2)) != (container.encode(), namespace.encode()):
        return None
    try:
        return Bootstrap(*(texts.get(number, b"").decode() for number in (5, 6, 9)))
    except UnicodeDecodeError:
        return None


def reply(address: str, bootstrap: Bootstrap | None, environment: Mapping[str, str]) -> bytes:
    """Return what `start` prints."""
    if bootstrap is not None:
        return number_field(1, 3) + text_field(2, address) + text_field(3, "ttrpc")
    if "MAX_SHIM_VERSION" in environment:
        # containerd 2 accepts version 3, but sets the variable as 1.7 does, which does not.
        return dumps({"version": 2, "address": address, "protocol": "ttrpc"}).encode()
    return address.encode()
