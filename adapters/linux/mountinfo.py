"""What is mounted in this thread's mount namespace (proc(5), mountinfo and fdinfo)."""

from __future__ import annotations

import os

from adapters.linux.files import read_all
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator


_MOUNTINFO = "/proc/thread-self/mountinfo"


class MountEntry(NamedTuple):
    """One mount. `options` are those of the file system, not those of this mount."""

    device: str  # major:minor
    point: str
    kind: str  # the file system's type, with its subtype: `fuse.sshfs`
    source: str
    options: str


def mounts() -> Iterator[MountEntry]:
    """Yield the mounts, in the kernel's order. Raises OSError."""
    with open(_MOUNTINFO, "rb") as file:
        for line in file:
            try:
                yield parse(line)
            except ValueError:
                pass  # the rest of a line: this file system's options have a newline


def parse(line: bytes) -> MountEntry:
    """Return the mount that one line describes.

    A field may be empty (the source of `mount -t tmpfs "" /mnt`), so one space ends each field.
    Raises ValueError if the line describes none.
    """
    left, _, right = line.rstrip(b"\n").partition(b" - ")
    device, _, point = left.split(b" ")[2:5]
    kind, source, options = right.split(b" ", 2)
    fields = (device, point, kind, source, options)
    return MountEntry(*(os.fsdecode(_decode(field)) for field in fields))


def _decode(field: bytes) -> bytes:
    """Return a field without its escapes: the kernel writes a byte such as a space as \\040."""
    first, *rest = field.split(b"\\")
    return first + b"".join(map(_byte, rest))


def _byte(part: bytes) -> bytes:
    """Decode what follows a backslash; some file systems write one that begins no escape."""
    digits = part[:3]
    if len(digits) == 3 and not digits.strip(b"01234567") and digits < b"4":
        return bytes((int(digits, 8),)) + part[3:]
    return b"\\" + part


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
