"""Which processors of a simulated board run, and in which process: one small file each.

A process that uses a processor holds a lock on its file; the kernel gives the lock up when the
process ends, however that happens, and the processor is off then: a file without a lock means
nothing. The lock is of the open file description (fcntl_locking(2)), since that kind alone can
be asked about without being taken: a look never gets into an owner's way.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from domain.errors import HostFault, reason

_LAYOUT = "hhqqi4x"  # struct flock: type, whence, start, length, pid
_ROOM = 4096


class Presence:
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
            problem = f"cannot note who uses a processor in {self.path}: {reason(error)}"
            raise HostFault(problem, errno=error.errno or 0) from error

    def _take(self, record: Mapping[str, Any]) -> bool:
        while not self.held:
            fd = self._open()
            try:
                fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK))
            except BlockingIOError:
                os.close(fd)
                return False
            if _is(fd, self.path):
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

    def drop(self) -> None:
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


def look(path: str) -> dict[str, Any]:
    """Return the record of the process that uses the processor; empty if none does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    try:
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _lock(fcntl.F_WRLCK))
        if struct.unpack(_LAYOUT, answer)[0] == fcntl.F_UNLCK:
            return {}
        return _decode(os.pread(fd, _ROOM, 0))
    finally:
        os.close(fd)


def _decode(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None  # taken this very moment
    return value if isinstance(value, dict) else {"state": "offline"}


def _lock(kind: int) -> bytes:
    return struct.pack(_LAYOUT, kind, os.SEEK_SET, 0, 0, 0)


def _is(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
