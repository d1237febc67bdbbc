"""Finds new text in the trace buffers that a resource table announces.

A trace buffer is plain memory that the firmware fills with text. The kernel shows it in debugfs as
the bytes before the first NUL; nothing in it tells where the newest text ends. The firmware writes
to the end of the buffer and then begins at its start again, having cleared the buffer or not. So
new text is found by comparing two snapshots. Text that was overwritten between two snapshots is
lost, and text that equals the text before it is found as soon as a later byte differs.

Text of an earlier run is taken for text of this run, unless the buffer lies in a segment of the
firmware, which the loader clears, or the firmware clears the buffer itself.
Source: Linux drivers/remoteproc/remoteproc_debugfs.c (rproc_trace_read).
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Snapshot = Callable[["TraceBuffer", int], bytes | None]
    """Reads up to so many bytes of a buffer as the kernel shows it; None if nothing was written.

    Raises OSError.
    """

BUFFERS_LIMIT = 16
"""The most buffers of one firmware that are read: each costs time at each reading."""

SIZE_LIMIT = 1 << 20
"""The most bytes that are read of all buffers of one firmware."""

_BEFORE = 64  # bytes before the cursor that show whether the firmware began at the start again
_AFTER = 256  # bytes after the cursor
_MIN_OLD = 16  # bytes of old text after the new: fewer, and the buffer is taken as cleared
_LONGEST_PERIOD = 0.5  # seconds between two readings of buffers in which nothing is written


def kernel_view(memory: bytes) -> bytes:
    """Return the part of a trace buffer that the kernel shows in debugfs."""
    return memory.partition(b"\0")[0]


class TraceBuffer:
    """The last snapshot of one trace buffer, and the cursor: where the firmware writes next."""

    __slots__ = ("_cursor", "_snapshot")

    def __init__(self) -> None:
        self._snapshot = b""
        self._cursor = 0

    @property
    def size(self) -> int:
        """The size of the last snapshot, in bytes."""
        return len(self._snapshot)

    def window(self) -> tuple[int, int, bytes]:
        """Return an offset, a size, and the bytes to be found there while nothing is written."""
        start = max(self._cursor - _BEFORE, 0)
        end = self._cursor + _AFTER
        return start, end - start, self._snapshot[start:end]

    def update(self, new: bytes) -> bytes:
        """Take a new snapshot, as the kernel shows it; return the text written since the last."""
        old, cursor = self._snapshot, self._cursor
        self._snapshot = new
        if new == old:
            return b""
        if len(new) < len(old):  # cleared, or the firmware ends its newest text by a NUL
            self._cursor = len(new)
            return new
        if new[:cursor] == old[:cursor]:
            end = len(new) if len(new) > len(old) else _last_difference(old, new)
            self._cursor = end
            return new[cursor:end]
        end = _last_difference(old[:cursor], new[:cursor])
        if cursor - end < _MIN_OLD:
            self._cursor = len(new)
            return new
        # The firmware began at the start again. Some firmware does so early, where the next line
        # does not fit; an unfinished line shows that it wrote to the end of the buffer before.
        self._cursor = end
        wrote_to_end = new[cursor:] != old[cursor:] or old[cursor - 1 : cursor] != b"\n"
        return (new[cursor:] if wrote_to_end else b"") + new[:end]


def _last_difference(old: bytes, new: bytes) -> int:
    """Return the end of the last difference between two strings of equal length."""
    low, high = 0, len(new)
    while low < high:  # the strings are equal from `high` on; find the smallest such `high`
        middle = (low + high) // 2
        if old[middle:] == new[middle:]:
            high = middle
        else:
            low = middle + 1
    return high


class TraceBufferReader:
    """Collects new text from all trace buffers of one firmware, in the resource table's order.

    `shortest_period`: seconds between two readings while the firmware prints. The period doubles
    with each reading that finds no new text.
    """

    __slots__ = ("_buffers", "_period", "_shortest_period", "_text")

    def __init__(self, shortest_period: float = 0.1) -> None:
        self._shortest_period = self._period = shortest_period
        self._buffers: list[tuple[TraceBuffer, Snapshot]] = []
        self._text = b""

    def follow(self, snapshots: Iterable[Snapshot]) -> bool:
        """Read the first BUFFERS_LIMIT of these buffers from now on; return whether there are any.

        Unread text is kept.
        """
        chosen = [snapshot for _, snapshot in zip(range(BUFFERS_LIMIT), snapshots, strict=False)]
        self._buffers = [(TraceBuffer(), snapshot) for snapshot in chosen]
        self._period = self._shortest_period
        return bool(self._buffers)

    @property
    def following(self) -> bool:
        """Whether there are buffers to be read."""
        return bool(self._buffers)

    @property
    def period(self) -> float | None:
        """Seconds after which the buffers should be read again; None without buffers."""
        return self._period if self._buffers else None

    @property
    def unread(self) -> bool:
        """Whether `take` would return any text."""
        return bool(self._text)

    def poll(self) -> bool:
        """Read all buffers; return whether any has new text. Raises the OSError of a snapshot."""
        before = len(self._text)
        left = SIZE_LIMIT - sum(buffer.size for buffer, _ in self._buffers)
        for buffer, snapshot in self._buffers:
            left += buffer.size
            content = snapshot(buffer, left)
            if content is not None:
                self._text += buffer.update(content)
            left -= buffer.size
        found = len(self._text) > before
        longest = max(self._shortest_period, _LONGEST_PERIOD)
        self._period = self._shortest_period if found else min(2 * self._period, longest)
        return found

    def take(self) -> bytes:
        """Return the text that `poll` has found since the last call."""
        text, self._text = self._text, b""
        return text
