"""Containers as directories under the state root; a process locks the directory itself (flock).

A container becomes visible by one rename of a finished directory, and disappears by another.
A name that begins with @, as no id does, is that of a draft or of a directory to be removed.
"""

from __future__ import annotations

import errno
import os
from _thread import get_native_id

from adapters.linux.directories import check_private, private_directory
from adapters.linux.files import open_directory, read_all, remove_flat
from adapters.linux.locks import flock_or_fail, flock_within, open_locked, still_at
from adapters.state import container_dir
from adapters.state.container_dir import read_container, write_container
from adapters.state.exit_record import record_exit
from domain.container import Exit, FirmwareContainer, check_id
from domain.errors import AlreadyExists, Busy, HostFault, NotFound, host_fault

_LOCKED_WITHIN = 10.0  # seconds that a command waits for another one on the same container
_GROUP_GONE_WITHIN = 1.0  # seconds from a process's end until its control group is free


def _already_exists(container_id: str) -> AlreadyExists:
    return AlreadyExists(
        f"container {container_id} exists", hint="choose another id, or delete it first"
    )


def _lock(descriptor: int) -> None:
    flock_within(descriptor, _LOCKED_WITHIN)


def _remove_cgroups(path: str, seconds: float = 0.0) -> None:
    """Remove the control groups of the container with this directory. Raises HostFault."""
    if os.path.exists(f"{path}/cgroups"):
        from adapters.isolation.cgroups import remove_recorded

        remove_recorded(path, seconds)


class DirectoryDraft:
    """Implements domain.ports.Draft: a directory that is not a container yet."""

    def __init__(self, root: str, container_id: str) -> None:
        self._id = container_id
        self._final = f"{root}/{container_id}"
        self._hidden = self.path = f"{root}/@new-{container_id}-{get_native_id()}"
        try:
            self._descriptor = open_locked(self._make, _lock, self.path)
        except OSError as error:
            raise host_fault(f"cannot make the directory {self.path}", error) from error

    def _make(self) -> int:
        """Make the directory, and open it before a `sweep` of another process removes it."""
        while True:
            # An earlier process with this thread id may have left a draft of the same name.
            _remove_cgroups(self.path)
            remove_flat(self.path)
            os.mkdir(self.path, 0o700)
            try:
                return open_directory(self.path)
            except FileNotFoundError:
                continue

    def commit(self, container: FirmwareContainer) -> None:
        """Record the container, and rename the finished directory to the container's id."""
        write_container(container, self._descriptor)
        try:
            os.rename(self.path, self._final)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise _already_exists(self._id) from error
            raise host_fault(f"cannot rename {self.path} to {self._final}", error) from error
        self.path = self._final

    def discard(self) -> None:
        """Rename the directory first, so that no process finds a container without its files."""
        if self._descriptor < 0:
            return
        try:
            if self.path == self._final:
                os.rename(self._final, self._hidden)
            _remove_cgroups(self._hidden, _GROUP_GONE_WITHIN)
            remove_flat(self._hidden)
        except (OSError, HostFault):
            pass  # the next sweep tries again
        self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class _Opened:
    """A container's directory, open until the end of a `with`. (contextlib is slow to import.)"""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __enter__(self) -> int:
        return self.descriptor

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.descriptor)


class _Locked:
    """A container, whose directory is open, and locked, until the end of a `with`."""

    def __init__(self, descriptor: int, container: FirmwareContainer) -> None:
        self._descriptor = descriptor
        self._container = container

    def __enter__(self) -> FirmwareContainer:
        return self._container

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class DirectoryStore:
    """Implements domain.ports.ContainerStore under one state root."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)

    def directory(self, container_id: str) -> str:
        return f"{self.root}/{container_id}"

    def draft(self, container_id: str) -> DirectoryDraft:
        private_directory(self.root)
        if os.path.lexists(self.directory(container_id)):
            raise _already_exists(container_id)
        return DirectoryDraft(self.root, container_id)

    def ids(self) -> list[str]:
        return sorted(name for name in self._names() if not name.startswith("@"))

    def _names(self) -> list[str]:
        check_private(self.root)
        try:
            return os.listdir(self.root)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise host_fault(f"cannot read the state directory {self.root}", error) from error

    def load(self, container_id: str) -> FirmwareContainer:
        with self._open(container_id) as descriptor:
            return self._read(container_id, descriptor)

    def locked(self, container_id: str) -> _Locked:
        opened = self._open(container_id)
        try:
            _lock(opened.descriptor)
            if not still_at(self.directory(container_id), opened.descriptor):
                raise self._unknown(container_id)
            return _Locked(opened.descriptor, self._read(container_id, opened.descriptor))
        except TimeoutError:
            opened.close()
            raise Busy(
                f"another command works on container {container_id} for {_LOCKED_WITHIN:.0f} s now",
                hint="try again when that has ended, or end it",
            ) from None
        except OSError as error:
            opened.close()
            raise host_fault(f"cannot lock container {container_id}", error) from error
        except BaseException:
            opened.close()
            raise

    def _open(self, container_id: str) -> _Opened:
        path = self.directory(check_id(container_id))
        check_private(self.root)
        try:
            return _Opened(open_directory(path))
        except (FileNotFoundError, NotADirectoryError):
            raise self._unknown(container_id) from None
        except OSError as error:
            raise host_fault(f"cannot open {path}", error) from error

    def _read(self, container_id: str, descriptor: int) -> FirmwareContainer:
        try:
            return read_container(container_id, descriptor)
        except FileNotFoundError:
            raise self._unknown(container_id) from None
        except OSError as error:
            raise host_fault(f"cannot read the state of container {container_id}", error) from error

    def _unknown(self, container_id: str) -> NotFound:
        return NotFound(
            f"container {container_id} does not exist", hint=f"`list` shows those in {self.root}"
        )

    def read_file(self, container_id: str, name: str) -> bytes:
        with self._open(container_id) as descriptor:
            try:
                return read_all(name, descriptor)
            except FileNotFoundError:
                return b""
            except OSError as error:
                what = f"cannot read {name} of container {container_id}"
                raise host_fault(what, error) from error

    def last_output(self, container_id: str) -> float | None:
        with self._open(container_id) as descriptor:
            return container_dir.last_output(descriptor)

    def record_exit(self, container_id: str, exit_: Exit) -> Exit:
        with self._open(container_id) as descriptor:
            try:
                return record_exit(exit_, descriptor)
            except OSError as error:
                what = f"cannot read how container {container_id} ended"
                raise host_fault(what, error) from error

    def remove(self, container_id: str) -> None:
        """Rename the directory first, so that no process finds a container without its files."""
        removed = f"{self.root}/@gone-{container_id}-{get_native_id()}"
        _remove_cgroups(self.directory(container_id), _GROUP_GONE_WITHIN)
        try:
            remove_flat(removed)
            os.rename(self.directory(container_id), removed)
            remove_flat(removed)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise host_fault(f"cannot remove container {container_id}", error) from error

    def sweep(self) -> None:
        for name in self._names():
            if name.startswith("@"):
                try:
                    _remove_unlocked(f"{self.root}/{name}")
                except (OSError, HostFault):
                    pass  # a living process has locked it, or it is gone already


def _remove_unlocked(path: str) -> None:
    """Remove a directory that no process has locked. Raises OSError, HostFault."""
    descriptor = open_locked(lambda: open_directory(path), flock_or_fail, path)
    try:
        _remove_cgroups(path)
        remove_flat(path)
    finally:
        os.close(descriptor)
