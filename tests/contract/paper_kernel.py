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
_MOST_DESCRIPTORS = 64
look, pread = os.stat, os.pread  # without faults that a test injects into those of `os`


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


class PaperKernel:
    """The tree; `install` lets the writes of this process, and of its forks, have effects."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.place = Path(root) / "sys/class/remoteproc/remoteproc0"
        self.place.mkdir(parents=True)
        (Path(root) / "lib/firmware").mkdir(parents=True)
        for name, value in _FIRST.items():
            (self.place / name).write_text(f"{value}\n")
        self._state_file = _identity(look(self.place / "state"))
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
        real = os.pwrite
        names = {_identity(look(self.place / name)): name for name in _FIRST}

        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            name = names.get(_identity(look(descriptor)))
            if name is None:
                return real(descriptor, data, offset)
            value = f"{self._value(name, data.decode())}\n".encode()
            real(descriptor, value, 0)
            os.truncate(descriptor, len(value))
            return len(data)

        def undo() -> None:
            os.pwrite = real

        os.pwrite = pwrite  # type: ignore[assignment]
        return undo

    def _state(self) -> str:
        """Return the attribute `state`, in a supervisor that has withdrawn by what that holds."""
        try:
            return self.read("state")
        except FileNotFoundError:
            for descriptor in range(3, _MOST_DESCRIPTORS):
                try:
                    found = _identity(look(descriptor))
                except OSError:
                    continue
                if found == self._state_file:
                    return pread(descriptor, 64, 0).decode().strip()
            raise

    def _value(self, name: str, word: str) -> str:
        """Return what an attribute says after a write. Raises the kernel's OSError."""
        state = self._state()
        if name == "firmware" and state != "offline":
            raise OSError(EBUSY, os.strerror(EBUSY))
        if name != "state":
            return word
        if word == "stop" and state == "offline":
            raise OSError(EINVAL, os.strerror(EINVAL))
        return {"start": "running", "stop": "offline"}[word]
