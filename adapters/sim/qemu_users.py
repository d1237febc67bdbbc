"""A user id of its own for each QEMU that root starts."""

from __future__ import annotations

import os
from errno import EAGAIN

from adapters.linux.directories import private_directory
from adapters.linux.locks import lock_or_fail, open_locked
from adapters.linux.process import privileged
from domain.errors import HostFault, host_fault
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


DEFAULT_IDS = (1879048192, 1879113727)
"""No distribution uses these (systemd's table, UIDS-GIDS.md)."""


class QemuUser:
    """A user id that no other QEMU has until `release`, or until this process ends."""

    def __init__(self, number: int, path: str, lock: int) -> None:
        self.number = number
        self._path = path
        self._lock = lock

    def release(self) -> None:
        """Let another QEMU have the id, and remove the files of killed processes. Repeatable."""
        if self._lock < 0:
            return
        os.close(self._lock)
        self._lock = -1
        directory = os.path.dirname(self._path)
        try:
            for name in os.listdir(directory):
                _remove_unlocked(f"{directory}/{name}")
        except OSError:
            pass  # another program has cleared the directory; the lock alone counts


class QemuUsers(NamedTuple):
    """The ids from the first to the last of `ids`, whom nobody else uses; None for DEFAULT_IDS.

    `directory` has a file for each id in use, locked by the process that runs the QEMU. The ids are
    the machine's, so the directory is the same for all that run QEMU there.
    """

    ids: Sequence[int] | None = None
    directory: str = "/run/remoteproc-runtime/simulator-users"

    def take(self) -> QemuUser | None:
        """Take an id; None if this process is not the machine's root, who alone may choose a user.

        Raises HostFault.
        """
        if not privileged():
            return None
        first, last = self.ids or DEFAULT_IDS
        try:
            private_directory(self.directory)
            for number in range(first, last + 1):
                path = f"{self.directory}/{number}"
                try:
                    return QemuUser(number, path, open_locked(_opener(path), lock_or_fail, path))
                except BlockingIOError:
                    continue
        except OSError as error:
            raise host_fault(f"cannot take a user for QEMU in {self.directory}", error) from error
        raise HostFault(
            f"cannot take a user for QEMU: {first} to {last} are all in use",
            errno=EAGAIN,
            hint="give `simulator-users` in the configuration more",
        )


DEFAULT_USERS = QemuUsers()


def _opener(path: str, create: int = os.O_CREAT) -> Callable[[], int]:
    flags = os.O_RDWR | create | os.O_CLOEXEC | os.O_NOFOLLOW
    return lambda: os.open(path, flags, 0o600)


def _remove_unlocked(path: str) -> None:
    try:
        lock = open_locked(_opener(path, create=0), lock_or_fail, path)
    except (BlockingIOError, FileNotFoundError):
        return  # a QEMU has the id, or another process has removed the file
    try:
        os.unlink(path)
    finally:
        os.close(lock)
