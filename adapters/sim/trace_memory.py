"""Reads the trace buffers of one simulated processor from QEMU's memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from domain.trace_buffer import MAX_SIZE, TraceBuffer, TraceBufferReader, kernel_view

# Seconds between two polls. A poll costs QEMU half a millisecond a buffer, so the period grows
# while the firmware prints nothing.
_MIN_PERIOD, _MAX_PERIOD = 0.1, 0.4
_EARLY = 0.9  # of a period: a caller that waits for a period may wake a bit early

ReadMemory = Callable[[int, int], bytes | None]
"""Returns up to so many bytes of the n-th trace buffer; None where they cannot be read."""


class TraceMemory(TraceBufferReader):
    """The first `count` trace buffers of the firmware that runs now."""

    __slots__ = ("_due", "_period")

    def __init__(self, count: int, read: ReadMemory) -> None:
        super().__init__()
        self._period = _MIN_PERIOD
        self._due = 0.0
        self.follow([partial(_snapshot, read, number) for number in range(count)])

    @property
    def period(self) -> float | None:
        """Seconds to wait before the next poll; None without buffers."""
        return self._period if self.following else None

    def poll_if_due(self) -> None:
        """Poll unless the last poll was less than a period ago."""
        if time.monotonic() >= self._due:
            self.poll()

    def poll(self) -> bool:
        """Read all buffers; return whether there is new text in any."""
        found = super().poll()
        self._period = _MIN_PERIOD if found else min(2 * self._period, _MAX_PERIOD)
        self._due = time.monotonic() + _EARLY * self._period
        return found


def _snapshot(read: ReadMemory, number: int, _buffer: TraceBuffer) -> bytes | None:
    memory = read(number, MAX_SIZE)
    return None if memory is None else kernel_view(memory)
