"""Watches a directory and notes each event in it: inotify(7)."""

from __future__ import annotations

import ctypes
import os
import struct

_NAMES = {
    0x2: "modified",
    0x4: "attributes changed",
    0x8: "closed after writing",
    0x40: "moved away",
    0x80: "moved here",
    0x100: "created",
    0x200: "removed",
}
_HEADER = struct.Struct("iIII")  # struct inotify_event: wd, mask, cookie, len


class DirectoryWatch:
    """Notes the events in a directory from its own creation on."""

    def __init__(self, path: str) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        watch = libc.inotify_add_watch(self._descriptor, os.fsencode(path), sum(_NAMES))
        if self._descriptor < 0 or watch < 0:
            raise OSError(ctypes.get_errno(), "cannot watch", path)
        self._events: list[tuple[str, str]] = []

    def events(self) -> list[tuple[str, str]]:
        """Return all events so far, in order: the file's name and the event."""
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                return self._events
            at = 0
            while at < len(data):
                _, mask, _, length = _HEADER.unpack_from(data, at)
                at += _HEADER.size
                name = data[at : at + length].rstrip(b"\0").decode()
                at += length
                self._events += [(name, word) for bit, word in _NAMES.items() if mask & bit]

    def close(self) -> None:
        os.close(self._descriptor)
