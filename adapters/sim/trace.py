"""Follows a trace buffer: from one look at the memory to the next, what has been printed?

The buffer is plain memory that the firmware fills with text and, mostly, begins anew when it is
full; nothing in it tells where the end is. So the end is followed: what changed lies, in the
order of writing, between the end known and the last byte that differs from what was there.
"""

from __future__ import annotations


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
