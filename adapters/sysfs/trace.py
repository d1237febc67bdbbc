"""What firmware prints into the trace buffers of its resource table, as debugfs shows them.

Such a file is no stream: each read at offset 0 gives the buffer up to its first NUL. Firmware
writes on until the end, then starts over, having cleared the buffer or not. So what is new is
found by comparison; of text that was overwritten between two looks nothing can be known. What an
earlier run left is taken for this one's, unless the buffer lies in a segment of the firmware, all
of which the kernel clears, or the firmware clears it itself.
Source: Linux drivers/remoteproc/remoteproc_debugfs.c (rproc_trace_read).
"""

from __future__ import annotations

import os
import re
import time

_LIMIT = 1 << 20  # bytes of one buffer that are looked at
_WINDOW = 64  # bytes before the cursor that tell whether the buffer was begun anew
_AHEAD = 256
_SURVIVES = 16  # bytes of old text behind new that tell a ring from a cleared buffer
_SEARCH_PAUSE = 1.0  # seconds between looks for buffers where there are none
_FILE = re.compile(r"trace[0-9]+")
_NOTHING = re.compile(rb"Trace .{0,64} not available\n?", re.DOTALL)


class TraceDiff:
    """Finds what is new in a buffer of which snapshots come in."""

    __slots__ = ("_cursor", "_old")

    def __init__(self) -> None:
        self._old = b""
        self._cursor = 0  # where the firmware is going to write next

    def window(self) -> tuple[int, int, bytes]:
        """Return where to read, how much, and what is there as long as nothing was written."""
        start = max(self._cursor - _WINDOW, 0)
        end = self._cursor + _AHEAD
        return start, end - start, self._old[start:end]

    def update(self, new: bytes) -> bytes:
        """Take the buffer's content; return what was written since the last one."""
        old, cursor = self._old, self._cursor
        self._old = new
        if new == old:
            return b""
        if len(new) < len(old):  # cleared, or a NUL was written behind the newest text
            self._cursor = len(new)
            return new
        if new[:cursor] == old[:cursor]:
            end = len(new) if len(new) > len(old) else _last_difference(old, new)
            self._cursor = end
            return new[cursor:end]
        begin = _last_difference(old[:cursor], new[:cursor])
        if cursor - begin < _SURVIVES:
            self._cursor = len(new)
            return new
        # Overwritten from the start: first what was written up to the end, unless nothing was.
        self._cursor = begin
        tail = new[cursor:] if new[cursor:] != old[cursor:] else b""
        return tail + new[:begin]


def _last_difference(old: bytes, new: bytes) -> int:
    """Return where the last difference of equally long strings ends."""
    low, high = 0, len(new)
    while low < high:  # the tails from `high` on are equal; find the longest such tail
        middle = (low + high) // 2
        if old[middle:] == new[middle:]:
            high = middle
        else:
            low = middle + 1
    return high


class Traces:
    """All trace buffers of one processor; `directory` is the processor's in debugfs."""

    __slots__ = ("_directory", "_next", "_open", "_sealed")

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._open: list[tuple[int, TraceDiff]] = []
        self._sealed = False
        self._next = 0.0

    def open(self) -> bool:
        """Find the buffers of what runs now; tell whether there are any."""
        self.close()
        self._sealed = False
        self._next = time.monotonic() + _SEARCH_PAUSE
        try:
            names = sorted(filter(_FILE.fullmatch, os.listdir(self._directory)))
        except OSError:
            names = []
        for name in sorted(names, key=lambda name: int(name[5:])):
            try:
                path = f"{self._directory}/{name}"
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue  # stopped meanwhile
            self._open.append((descriptor, TraceDiff()))
        return bool(self._open)

    def read(self, *, running: bool = False) -> bytes:
        """Return what is new; where it is `running`, find the buffers of a restarted firmware."""
        if running and not self._open and not self._sealed and time.monotonic() >= self._next:
            self.open()
        found = []
        for descriptor, diff in self._open:
            try:
                found.append(_read(descriptor, diff))
            except OSError:
                # EIO: the firmware's resources are gone, and the files with them.
                self.close()
                break
        return b"".join(found)

    def seal(self) -> bytes:
        """Return the rest and read no more: what runs next is not the container's."""
        rest = self.read()
        self.close()
        self._sealed = True
        return rest

    def close(self) -> None:
        """Forget the buffers."""
        for descriptor, _ in self._open:
            os.close(descriptor)
        self._open = []


def _read(descriptor: int, diff: TraceDiff) -> bytes:
    start, size, expected = diff.window()
    if os.pread(descriptor, size, start) == expected:
        return b""
    parts = []
    size = 0
    while size < _LIMIT and (part := os.pread(descriptor, _LIMIT - size, size)):
        parts.append(part)
        size += len(part)
    content = b"".join(parts).partition(b"\0")[0]
    return b"" if _NOTHING.fullmatch(content) else diff.update(content)
