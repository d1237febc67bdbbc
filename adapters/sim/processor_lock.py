"""Records which process runs which processor of a simulated board: one small file each.

The process that runs a processor holds a lock on the processor's file. Linux releases the lock
when the process ends, however it ends, and QEMU ends with it: a record in a file without a lock
is out of date.
"""

from __future__ import annotations

import os

from adapters.encoding.light_json import dumps, loads
from adapters.linux.directories import private_directory
from adapters.linux.locks import is_locked, lock_or_fail, open_locked
from domain.errors import HostFault, host_fault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

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
        if not self.held:
            try:
                self._fd = open_locked(self._open, lock_or_fail, self.path)
            except BlockingIOError:
                return False
            except OSError as error:
                raise self._fault(error) from error
        self.record(record)
        return True

    def _fault(self, error: OSError) -> HostFault:
        return host_fault(f"cannot note who uses a processor in {self.path}", error)

    def record(self, record: Mapping[str, Any]) -> None:
        """Replace the record; needs the lock. A reader sees the old record or the new.

        Raises HostFault.
        """
        if record != self._written:
            text = dumps(record).ljust(_ROOM - 1) + "\n"
            try:
                os.pwrite(self._fd, text.encode(), 0)
            except OSError as error:
                raise self._fault(error) from error
            self._written = dict(record)

    def release(self) -> None:
        """Release the lock; remove the file, and its directories if they are empty. Repeatable.

        Raises HostFault if the file cannot be removed; the lock is then still held.
        """
        if not self.held:
            return
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise host_fault(f"cannot remove {self.path}", error) from error
        os.close(self._fd)
        self._fd, self._written = -1, None
        directory = os.path.dirname(self.path)
        try:
            os.rmdir(directory)
            os.rmdir(os.path.dirname(directory))
        except OSError:
            pass  # other processors have files there

    def _open(self) -> int:
        board = os.path.dirname(self.path)
        while True:
            try:
                private_directory(board)
                return os.open(
                    self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
                )
            except FileNotFoundError:
                continue  # another process has removed an empty directory meanwhile


def read_record(path: str) -> dict[str, Any]:
    """Return the record of the process that runs the processor; empty if no process does.

    Raises HostFault.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _decode(os.pread(fd, _ROOM, 0)) if is_locked(fd) else {}
        finally:
            os.close(fd)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise host_fault(f"cannot read who uses a processor in {path}", error) from error


def _decode(data: bytes) -> dict[str, Any]:
    try:
        value = loads(data)
    except ValueError:
        value = None  # another process has taken the lock and not yet written its record
    return value if isinstance(value, dict) else {"state": "offline"}
