"""What is mounted in this process's mount namespace (proc(5), mountinfo and fdinfo)."""

from __future__ import annotations

import os

from adapters.linux.files import read_all
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator


class MountEntry(NamedTuple):
    """One mount. `options` are those of the file system, not those of this mount."""

    device: str  # major:minor
    point: str
    kind: str  # the file system's type, with its subtype: `fuse.sshfs`
    source: str
    options: str


def mounts() -> Iterator[MountEntry]:
    """Yield the mounts, in the kernel's order. Raises OSError."""
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            yield parse(line)


def parse(line: bytes) -> MountEntry:
    """Return the mount that one line describes.

    A field may be empty (the source of `mount -t tmpfs "" /mnt`), so one space ends each field.
    """
    left, _, right = line.rstrip(b"\n").partition(b" - ")
    device, _, point = left.split(b" ")[2:5]
    fields = (device, point, *right.split(b" ", 2))
    return MountEntry(*(os.fsdecode(_decode(field)) for field in fields))


def _decode(field: bytes) -> bytes:
    """Return a field without its escapes: the kernel writes a byte such as a space as \\040."""
    first, *rest = field.split(b"\\")
    return first + b"".join(bytes((int(part[:3], 8),)) + part[3:] for part in rest)


def is_mount_point(path: str) -> bool:
    """Return whether a file system is mounted on the path; a symbolic link is not followed."""
    return _mount_id(path) not in (None, _mount_id(os.path.dirname(path)))


def _mount_id(path: str) -> bytes | None:
    """Return the kernel's number of the mount that has this file; None if there is no such file."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        lines = read_all(f"/proc/self/fdinfo/{descriptor}").splitlines()
    finally:
        os.close(descriptor)
    return next(line for line in lines if line.startswith(b"mnt_id:"))
