"""A processor of the kernel on paper: plain files that the real adapter for sysfs reads and writes.

A write to an attribute does what Linux does, within microseconds: thousands of lives can be tried.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EBUSY, EINVAL
from pathlib import Path

from adapters.sysfs.board import SysfsBoard

_FIRST = {
    "name": "m4",
    "state": "offline",
    "firmware": "rproc-m4-fw",
    "recovery": "enabled",
    "coredump": "disabled",
}


class PaperKernel:
    """The tree; `install` lets the writes of this process, and of its forks, have effects."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.place = Path(root) / "sys/class/remoteproc/remoteproc0"
        self.place.mkdir(parents=True)
        (Path(root) / "lib/firmware").mkdir(parents=True)
        for name, value in _FIRST.items():
            (self.place / name).write_text(f"{value}\n")
        self.board = SysfsBoard(root)

    def read(self, name: str) -> str:
        """Return an attribute."""
        return (self.place / name).read_text().strip()

    def published(self) -> list[str]:
        """Return the firmware files of owners."""
        place = Path(self.root) / "lib/firmware/remoteproc-runtime"
        return os.listdir(place) if place.exists() else []

    def snapshot(self) -> object:
        """Return all that an owner may change."""
        return self.published(), {name: self.read(name) for name in _FIRST}

    def install(self) -> Callable[[], None]:
        """Return what undoes it."""
        real, place = os.pwrite, str(self.place)

        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            where, _, name = os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")
            if where != place:
                return real(descriptor, data, offset)
            value = f"{self._value(name, data.decode())}\n".encode()
            real(descriptor, value, 0)
            os.truncate(descriptor, len(value))
            return len(data)

        def undo() -> None:
            os.pwrite = real

        os.pwrite = pwrite  # type: ignore[assignment]
        return undo

    def _value(self, name: str, word: str) -> str:
        """Return what an attribute says after a write. Raises the kernel's OSError."""
        state = self.read("state")
        if name == "firmware" and state != "offline":
            raise OSError(EBUSY, os.strerror(EBUSY))
        if name != "state":
            return word
        if word == "stop" and state == "offline":
            raise OSError(EINVAL, os.strerror(EINVAL))
        return {"start": "running", "stop": "offline"}[word]
