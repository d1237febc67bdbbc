"""Follows a trace buffer: from one look at the memory to the next, what has been printed?

The buffer is plain memory that the firmware fills with text and, mostly, begins anew when it is
full; nothing in it tells where the end is. So the end is followed: what changed lies, in the
order of writing, between the end known and the last byte that differs from what was there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

# Seconds from one look to the next: QEMU takes half a millisecond for each, so they become
# rarer while nothing is printed.
_SOON, _LATE = 0.1, 0.4
_LARGEST = 1 << 20  # bytes of a buffer that are looked at


class TraceTail:
    """One buffer, zeros at first. Text of more than its size between two looks is lost."""

    __slots__ = ("_end", "_seen")

    def __init__(self, size: int) -> None:
        self._seen = bytes(size)
        self._end = 0

    def advance(self, now: bytes) -> bytes:
        """Return the text that was written since the last look; `now` is the whole buffer.

        A byte written over an equal one shows only once a later one differs: it is late, not
        lost. Zeros are taken as "nothing here".
        """
        if now == self._seen or len(now) != len(self._seen):
            return b""
        end = self._end
        before = self._seen[end:] + self._seen[:end]
        after = now[end:] + now[:end]
        difference = int.from_bytes(before, "big") ^ int.from_bytes(after, "big")
        same_at_end = ((difference & -difference).bit_length() - 1) // 8
        written = len(after) - same_at_end
        self._seen = now
        self._end = (end + written) % len(now)
        return after[:written].replace(b"\0", b"")


class Traces:
    """All trace buffers of a running firmware. `read` gives the first bytes of the n-th one."""

    def __init__(self, sizes: Sequence[int], read: Callable[[int, int], bytes | None]) -> None:
        self._tails = [TraceTail(min(size, _LARGEST)) for size in sizes]
        self._read = read
        self._period = _SOON
        self._due = 0.0
        self.text = b""

    @property
    def period(self) -> float | None:
        """How many seconds to wait before the next look; None without buffers."""
        return self._period if self._tails else None

    def look_if_due(self) -> None:
        """Look, unless that was done just now."""
        if time.monotonic() >= self._due:
            self.look()

    def look(self) -> None:
        """Add to `text` what has been printed."""
        before = len(self.text)
        for number, tail in enumerate(self._tails):
            now = self._read(number, _LARGEST)
            if now is not None:
                self.text += tail.advance(now)
        self._period = min(2 * self._period, _LATE) if len(self.text) == before else _SOON
        self._due = time.monotonic() + 0.9 * self._period  # whoever waits may wake a bit early

    def read(self) -> bytes:
        """Return the text and begin anew."""
        text, self.text = self.text, b""
        return text
