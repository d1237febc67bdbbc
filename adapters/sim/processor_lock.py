"""Which processors of a simulated board run, and in which process: one small file each.

A process that uses a processor holds a lock on its file; the kernel gives the lock up when the
process ends, however that happens, and the processor is off then: a file without a lock means
nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from adapters.linux.locks import is_locked, still_at, try_lock
from domain.errors import host_fault

_ROOM = 4096


class ProcessorLock:
    """This process's right to one processor. The record is JSON-able."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1
        self._written = ""

    @property
    def held(self) -> bool:
        """Whether the right is ours."""
        return self._fd >= 0

    def take(self, record: Mapping[str, Any]) -> bool:
        """Take the right; False if another process has it. Raises HostFault."""
        try:
            return self._take(record)
        except OSError as error:
            raise host_fault(f"cannot note who uses a processor in {self.path}", error) from error

    def _take(self, record: Mapping[str, Any]) -> bool:
        while not self.held:
            fd = self._open()
            if not try_lock(fd):
                os.close(fd)
                return False
            if still_at(self.path, fd):
                self._fd = fd
            else:  # removed between opening and locking: by its owner, who has given it up
                os.close(fd)
        self.record(record)
        return True

    def record(self, record: Mapping[str, Any]) -> None:
        """Say what the processor does; a reader sees one record or the next."""
        text = json.dumps(record).ljust(_ROOM - 1) + "\n"
        if text != self._written:
            os.pwrite(self._fd, text.encode(), 0)
            self._written = text

    def release(self) -> None:
        """Give the right up and leave nothing behind. Repeatable."""
        if not self.held:
            return
        with suppress(FileNotFoundError):  # somebody may have cleared the directory
            os.unlink(self.path)
        os.close(self._fd)
        self._fd, self._written = -1, ""
        directory = os.path.dirname(self.path)
        with suppress(OSError):  # others may be in there
            os.rmdir(directory)
            os.rmdir(os.path.dirname(directory))

    def _open(self) -> int:
        board = os.path.dirname(self.path)
        run = os.path.dirname(board)
        os.makedirs(os.path.dirname(run), exist_ok=True)
        while True:
            try:
                for directory in (run, board):
                    with suppress(FileExistsError):
                        os.mkdir(directory, 0o700)
                return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue  # somebody who left took a directory along


def read_record(path: str) -> dict[str, Any]:
    """Return the record of the process that uses the processor; empty if none does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    try:
        return _decode(os.pread(fd, _ROOM, 0)) if is_locked(fd) else {}
    finally:
        os.close(fd)


def _decode(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None  # taken this very moment
    return value if isinstance(value, dict) else {"state": "offline"}
