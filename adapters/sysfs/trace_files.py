"""Reads the trace buffers of one processor from debugfs."""

from __future__ import annotations

import os
import re
import time
from functools import partial

from domain.trace_buffer import MAX_SIZE, TraceBuffer, TraceBufferReader, kernel_view

_SEARCH_PERIOD = 1.0  # seconds after which to search for files again where there are none
_SEARCH_PAUSE = 0.9  # seconds without a search after each search
_FILE = re.compile(r"trace[0-9]+")
_UNAVAILABLE = re.compile(rb"Trace .{0,64} not available\n?", re.DOTALL)


class TraceFiles(TraceBufferReader):
    """The files `traceN` in `directory`, which is the processor's in debugfs.

    `shortest_period`: seconds between two readings while the firmware prints.
    """

    __slots__ = ("_descriptors", "_directory", "_next_search", "_sealed")

    def __init__(self, directory: str, shortest_period: float = 0.1) -> None:
        super().__init__(shortest_period)
        self._directory = directory
        self._descriptors: list[int] = []
        self._sealed = False
        self._next_search = 0.0

    def open(self) -> bool:
        """Open the files of the firmware that runs now; return whether there are any."""
        self.close()
        self._sealed = False
        self._next_search = time.monotonic() + _SEARCH_PAUSE
        try:
            names = list(filter(_FILE.fullmatch, os.listdir(self._directory)))
        except OSError:
            names = []
        for name in sorted(names, key=lambda name: int(name[5:])):
            try:
                path = f"{self._directory}/{name}"
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue  # the processor was stopped after the directory was read
            self._descriptors.append(descriptor)
        return self.follow([partial(_snapshot, descriptor) for descriptor in self._descriptors])

    @property
    def period(self) -> float | None:
        """Seconds after which to `read` again: the buffers, or the directory if there are none."""
        if self.following or self._sealed:
            return super().period
        searched = time.monotonic() < self._next_search
        return max(self._shortest_period, _SEARCH_PERIOD) if searched else self._shortest_period

    def read(self, *, running: bool = False) -> bytes:
        """Return new text. While the processor is `running`, find files of restarted firmware."""
        searching = running and not self.following and not self._sealed
        if searching and time.monotonic() >= self._next_search:
            self.open()
        try:
            self.poll()
        except OSError:
            self.close()  # EIO: the kernel has freed the firmware's resources, and these files
        return self.take()

    def seal(self) -> bytes:
        """Return the last text and read no more: firmware that runs next is not the container's."""
        text = self.read()
        self.close()
        self._sealed = True
        return text

    def close(self) -> None:
        """Close the files."""
        self.follow(())
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []


def _snapshot(descriptor: int, buffer: TraceBuffer) -> bytes | None:
    start, size, unchanged = buffer.window()
    if os.pread(descriptor, size, start) == unchanged:
        return None
    parts = []
    size = 0
    while size < MAX_SIZE and (part := os.pread(descriptor, MAX_SIZE - size, size)):
        parts.append(part)
        size += len(part)
    content = kernel_view(b"".join(parts))
    return None if _UNAVAILABLE.fullmatch(content) else content
