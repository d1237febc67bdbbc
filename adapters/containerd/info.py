"""What the shim prints about itself: `-info` for containerd, `-v` for people."""

from __future__ import annotations

from adapters import __version__
from adapters.containerd.flags import ShimFlags

RUNTIME = "io.containerd.remoteproc.v1"


def show_version(name: str) -> str:
    """Return what `-v` prints."""
    return f"{name}:\n  Version: {__version__}\n"


def info(_: ShimFlags) -> bytes:
    """Return the RuntimeInfo that `-info` prints."""
    from adapters.containerd.api.types_pb2 import RuntimeInfo, RuntimeVersion

    return RuntimeInfo(
        name=RUNTIME, version=RuntimeVersion(version=__version__)
    ).SerializeToString()
