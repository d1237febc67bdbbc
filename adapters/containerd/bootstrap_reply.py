"""What `start` is given on stdin, and the three forms in which containerd takes its reply.

containerd up to 1.6 reads a bare address; up to 2.2 JSON as well, whose version it bounds; from
2.3 on a BootstrapResult, and then gives BootstrapParams instead of the runtime's options.
Source: containerd core/runtime/v2/{binary,shim}.go and pkg/shim/compat.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from adapters.containerd.protobuf_wire import number_field, read_fields, text_field

STDIN_MAX = 10 << 20  # bytes, as in Go's shims


class Bootstrap:
    """What containerd 2.3 and later says; empty where it did not."""

    __slots__ = ("grpc_address", "socket_directory", "ttrpc_address")

    def __init__(
        self, ttrpc_address: str = "", grpc_address: str = "", socket_directory: str = ""
    ) -> None:
        self.ttrpc_address = ttrpc_address
        self.grpc_address = grpc_address
        self.socket_directory = socket_directory


def read_bootstrap(stdin: bytes, container: str, namespace: str) -> Bootstrap | None:
    """Return the BootstrapParams that stdin holds, or None if it holds something else.

    Options may decode as BootstrapParams too, so they must name this very container.
    """
    try:
        found = dict(read_fields(stdin))
    except ValueError:
        return None
    texts = {key: value for key, value in found.items() if isinstance(value, bytes)}
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
        # containerd 2 could take version 3, but says the same in that variable as 1.7.
        return json.dumps({"version": 2, "address": address, "protocol": "ttrpc"}).encode()
    return address.encode()
