"""Files and directories: written so that a reader sees whole content, also after kill -9."""

from __future__ import annotations

import os

from domain.errors import host_fault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Container


def open_directory(path: str) -> int:
    """Return a descriptor of the directory; a symbolic link is refused. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)


def write_whole(name: str, data: bytes, directory: int, mode: int = 0o600) -> None:
    """Write a file, or replace one: a reader sees the old content or all of the new.

    A link of this name is replaced, and not followed.
    """
    try:
        temporary = _write_new(name, data, directory, mode)
        try:
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            os.unlink(temporary, dir_fd=directory)
            raise
    except OSError as error:
        raise host_fault(f"cannot write {path_in(directory, name)}", error) from error


def path_in(directory: int, name: str) -> str:
    """Return the path of a file in an open directory, for messages; without /proc the name."""
    try:
        return os.path.join(os.readlink(f"/proc/self/fd/{directory}"), name)
    except OSError:
        return name


def _write_new(name: str, data: bytes, directory: int, mode: int) -> str:
    """Write a new file; return its name, which nobody can guess and take before."""
    temporary = f"{name}.{os.urandom(8).hex()}~"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, mode, dir_fd=directory)
    try:
        write_all(descriptor, data)
    except BaseException:
        os.unlink(temporary, dir_fd=directory)
        raise
    finally:
        os.close(descriptor)
    return temporary


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data, in as many calls as the kernel needs. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_existing(path: str, data: bytes) -> None:
    """Write to a file that exists, such as one of the kernel's, in one call. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, data)
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


def close_all_but(kept: Container[int]) -> None:
    """Close all descriptors of this process with other numbers, whoever has opened them."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # the listing's own descriptor


def open_stdio() -> None:
    """Open /dev/null on each of 0, 1 and 2 that the caller left closed.

    Otherwise the next file that this process opens would become its stdin, stdout or stderr.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # os.open returns the lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
