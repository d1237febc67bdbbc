"""How a container ended: the file `exit.json`, whose lock tells whether the supervisor lives.

The supervisor makes the file before it is ready, with room for the record, and holds the lock until
it ends. So the record needs no space on a disk that is full by then, and every process can tell
whether the supervisor lives, whatever pid namespace it is in. The file is blank until the container
has ended; the record is one write inside a page, which a kill does not tear.
"""

from __future__ import annotations

import errno
import os

from adapters.encoding.light_json import dumps, loads
from adapters.linux.files import path_in, read_all
from adapters.linux.locks import flock_within, is_locked, lock_or_fail
from domain.container import Exit
from domain.errors import host_fault

NAME = "exit.json"
ROOM = 4096  # bytes
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_OTHER_WITHIN = 1.0  # seconds that another process may take to record the same death


class ExitRecord:
    """A supervisor's hold on the file, from now until `close` or its death. Raises HostFault."""

    def __init__(self, directory: int) -> None:
        try:
            self._descriptor = _open(directory)
            lock_or_fail(self._descriptor)
            _write(self._descriptor, b"")
        except OSError as error:
            raise host_fault(f"cannot make {path_in(directory, NAME)}", error) from error

    def write(self, exit_: Exit) -> None:
        """Record how the container ended. Raises HostFault."""
        try:
            _write(self._descriptor, _encode(_fitting(exit_)))
        except OSError as error:
            raise host_fault(f"cannot write {NAME}", error) from error

    def close(self) -> None:
        """Let go: from now on the container counts as ended, on record or not."""
        os.close(self._descriptor)


def record_exit(exit_: Exit, directory: int) -> Exit:
    """Record how a container ended whose supervisor is dead, unless that is recorded.

    Returns what is recorded; where the disk takes no record, the given exit. Raises OSError if it
    cannot be read whether there is a record.
    """
    exit_ = _fitting(exit_)
    try:
        descriptor = _open(directory)
    except OSError:  # a read-only disk
        return read_exit(directory) or exit_
    try:
        try:
            flock_within(descriptor, _OTHER_WITHIN)
        except TimeoutError:
            return read_exit(directory) or exit_
        recorded = parse_exit(os.pread(descriptor, ROOM, 0))
        if recorded is None:
            try:
                _write(descriptor, _encode(exit_))
            except OSError:
                pass  # the next command finds the same
        return recorded or exit_
    finally:
        os.close(descriptor)


def read_exit(directory: int) -> Exit | None:
    """Return how the container ended, if that is recorded. Raises OSError."""
    try:
        return parse_exit(read_all(NAME, directory))
    except FileNotFoundError:
        return None


def is_supervised(path: str) -> bool:
    """Return whether the supervisor of the container with this directory lives. Raises OSError."""
    try:
        descriptor = os.open(f"{path}/{NAME}", os.O_RDONLY | _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return is_locked(descriptor)
    finally:
        os.close(descriptor)


def _open(directory: int) -> int:
    return os.open(NAME, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600, dir_fd=directory)


def _write(descriptor: int, record: bytes) -> None:
    if os.pwrite(descriptor, record.ljust(ROOM - 1) + b"\n", 0) < ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _encode(exit_: Exit) -> bytes:
    return dumps(exit_._asdict()).encode()


def _fitting(exit_: Exit) -> Exit:
    """Return the exit, its reason cut until there is room for the record."""
    while len(_encode(exit_)) >= ROOM:
        exit_ = exit_._replace(reason=exit_.reason[: len(exit_.reason) // 2])
    return exit_


def parse_exit(data: bytes) -> Exit | None:
    """Return what the content of the file says; None for a container that has not ended."""
    if not data or data.isspace():
        return None
    try:
        return Exit(**loads(data))
    except ValueError:
        return None  # a torn write, where the disk's pages are smaller than the record
