"""Records which process runs which processor of a simulated board: one small file each.

The process that runs a processor holds a lock on the processor's file. Linux releases the lock
when the process ends, however it ends, and QEMU ends with it: a record in a file without a lock
is out of date.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from adapters.linux.locks import is_locked, lock_or_fail, open_locked
from domain.errors import host_fault

_ROOM = 4096


class ProcessorLock:
    """The lock on one processor's file, and the record in it: any mapping that JSON can express."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1
        self._written: Mapping[str, Any] | None = None

    @property
    def held(self) -> bool:
        """Whether this process holds the lock."""
        return self._fd >= 0

    def take(self, record: Mapping[str, Any]) -> bool:
        """Take the lock; False if another process holds it. Raises HostFault."""
        try:
            return self._take(record)
        except OSError as error:
            raise host_fault(f"cannot note who uses a processor in {self.path}", error) from error

    def _take(self, record: Mapping[str, Any]) -> bool:
        if not self.held:
            try:
                self._fd = open_locked(self._open, lock_or_fail, self.path)
            except BlockingIOError:
                return False
        self.record(record)
        return True

    def record(self, record: Mapping[str, Any]) -> None:
        """Replace the record; needs the lock. A reader sees the old record or the new."""
        if record != self._written:
            text = json.dumps(record).ljust(_ROOM - 1) + "\n"
            os.pwrite(self._fd, text.encode(), 0)
            self._written = dict(record)

    def release(self) -> None:
        """Release the lock; remove the file, and its directories if they are empty. Repeatable."""
        if not self.held:
            return
        with suppress(FileNotFoundError):  # another program may have cleared the directory
            os.unlink(self.path)
        os.close(self._fd)
        self._fd, self._written = -1, None
        directory = os.path.dirname(self.path)
        with suppress(OSError):  # other processors have files there
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
                continue  # another process has removed an empty directory meanwhile


def read_record(path: str) -> dict[str, Any]:
    """Return the record of the process that runs the processor; empty if no process does."""
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
        value = None  # another process has taken the lock and not yet written its record
    return value if isinstance(value, dict) else {"state": "offline"}
