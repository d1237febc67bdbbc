"""Reads the trace buffers of one simulated processor from QEMU's memory."""

from __future__ import annotations

import time

from domain.trace_buffer import TraceBufferReader, kernel_view

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.trace_buffer import Snapshot

    ReadMemory = Callable[[int, int], bytes | None]
    """Returns up to so many bytes of the n-th buffer; None where they cannot be read."""

# Seconds between two polls while output on the UART wakes the supervisor: a poll costs QEMU half a
# millisecond a buffer.
_PAUSE = 0.09


class TraceMemory(TraceBufferReader):
    """The first `count` trace buffers of the firmware that runs now."""

    __slots__ = ("_due",)

    def __init__(self, count: int, read: ReadMemory) -> None:
        super().__init__()
        self._due = 0.0
        self.follow([_snapshot(read, number) for number in range(count)])

    def poll_if_due(self) -> None:
        """Poll unless the last poll was a moment ago."""
        if time.monotonic() >= self._due:
            self.poll()

    def poll(self) -> bool:
        """Read all buffers; return whether there is new text in any."""
        self._due = time.monotonic() + _PAUSE
        return super().poll()


def _snapshot(read: ReadMemory, number: int) -> Snapshot:
    """Return the function that reads the n-th buffer."""

    def snapshot(_: object, most: int) -> bytes | None:
        memory = read(number, most)
        return None if memory is None else kernel_view(memory)

    return snapshot
