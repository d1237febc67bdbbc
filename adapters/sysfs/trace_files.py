"""Reads the trace buffers of one processor from debugfs."""

from __future__ import annotations

import os
import time

from domain.trace_buffer import BUFFERS_LIMIT, TraceBufferReader, kernel_view

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from domain.trace_buffer import Snapshot, TraceBuffer

_SEARCH_PERIOD = 1.0  # seconds after which to search for files again where there are none
_SEARCH_PAUSE = 0.9  # seconds without a search after each search
_UNAVAILABLE = (b"Trace ", b" not available")  # and between these a name of so many bytes
_NAME_MAX = 64


class TraceFiles(TraceBufferReader):
    """The files `traceN` in `directory`, which is the processor's in debugfs.

    `shortest_period`: seconds between two readings while the firmware prints.
    """

    __slots__ = ("_descriptors", "_directory", "_next_search", "_sealed", "left_out")

    def __init__(self, directory: str, shortest_period: float = 0.1) -> None:
        super().__init__(shortest_period)
        self._directory = directory
        self._descriptors: list[int] = []
        self._sealed = False
        self._next_search = 0.0
        self.left_out = 0  # files beyond the most that are read

    def open(self) -> bool:
        """Open the files of the firmware that runs now; return whether there are any."""
        self.close()
        self._sealed = False
        self._next_search = time.monotonic() + _SEARCH_PAUSE
        try:
            names = list(filter(_is_trace, os.listdir(self._directory)))
        except OSError:
            names = []
        names.sort(key=lambda name: int(name[5:]))
        self.left_out = len(names[BUFFERS_LIMIT:])
        for name in names[:BUFFERS_LIMIT]:
            try:
                path = f"{self._directory}/{name}"
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue  # the processor was stopped after the directory was read
            self._descriptors.append(descriptor)
        return self.follow([_snapshot(descriptor) for descriptor in self._descriptors])

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


def _is_trace(name: str) -> bool:
    number = name.removeprefix("trace")
    return number != name and number.isascii() and number.isdigit()


def _snapshot(descriptor: int) -> Snapshot:
    """Return the function that reads the buffer behind an open file."""

    def snapshot(buffer: TraceBuffer, most: int) -> bytes | None:
        start, size, unchanged = buffer.window()
        if os.pread(descriptor, size, start) == unchanged:
            return None
        parts = []
        size = 0
        while size < most and (part := os.pread(descriptor, most - size, size)):
            parts.append(part)
            size += len(part)
        content = kernel_view(b"".join(parts))
        return None if _tells_unavailable(content) else content

    return snapshot


def _tells_unavailable(content: bytes) -> bool:
    start, end = _UNAVAILABLE
    text = content.removesuffix(b"\n")
    name_size = len(text) - len(start) - len(end)
    return text.startswith(start) and text.endswith(end) and 0 <= name_size <= _NAME_MAX
