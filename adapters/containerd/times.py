"""Times in containerd's messages."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.containerd.protobuf_wire import nanoseconds


def timestamp(seconds: float) -> Timestamp:
    """Return seconds since the epoch as a Timestamp."""
    return Timestamp(seconds=int(seconds), nanos=nanoseconds(seconds))
