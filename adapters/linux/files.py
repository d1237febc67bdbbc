"""Files that survive kill -9: written whole or not at all, locked by flock.

The kernel drops a flock with its last holder, so no lock outlives its process.
"""

from __future__ import annotations

import fcntl
import os
from _thread import get_native_id  # unique among all threads of the machine, as a pid is

from domain.errors import HostFault, host_fault


def private_directory(path: str) -> None:
    """Make the directory, readable by its owner only; refuse one that belongs to another user."""
    try:
        os.makedirs(path, 0o700, exist_ok=True)
        owner = os.stat(path).st_uid
    except OSError as error:
        raise host_fault(f"cannot make the directory {path}", error) from error
    if owner != os.geteuid():
        raise HostFault(
            f"directory {path} belongs to user {owner}",
            hint="choose another --root, or remove that directory",
        )


def write_whole(name: str, data: bytes, directory: int) -> None:
    """Write a file that is complete whenever it is visible, replacing an older one."""
    temporary = f"{name}.{get_native_id()}~"
    try:
        _write_new(temporary, data, directory)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError as error:
        raise host_fault(f"cannot write {name}", error) from error


def write_once(name: str, data: bytes, directory: int) -> bool:
    """Like `write_whole`, but an older file stays; tell whether ours was the first."""
    temporary = f"{name}.{get_native_id()}~"
    try:
        _write_new(temporary, data, directory)
        try:
            os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary, dir_fd=directory)
    except OSError as error:
        raise host_fault(f"cannot write {name}", error) from error
    return True


def _write_new(name: str, data: bytes, directory: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except BaseException:
        os.unlink(name, dir_fd=directory)
        raise
    finally:
        os.close(descriptor)


def read_all(name: str, directory: int | None = None) -> bytes:
    """Return a file's content. Raises OSError."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    try:
        parts = []
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take the exclusive flock if it is free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(descriptor: int) -> None:
    """Wait for the exclusive flock."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def remove_flat(path: str) -> None:
    """Remove a directory of files; no error if some or all of it is gone. Raises OSError."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    os.unlink(entry.path)
                except FileNotFoundError:
                    pass
        os.rmdir(path)
    except FileNotFoundError:
        pass


def open_stdio() -> None:
    """Open what the caller left closed of 0, 1 and 2, lest a file of ours takes its place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free
