"""A mount namespace that has nothing but chosen files and directories, at their own paths."""

from __future__ import annotations

import os
import stat
from errno import EBUSY, ENOENT, ENOTDIR, EXDEV

from adapters.linux import libc
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterable

MOUNT_POINT = "/sys"
"""It exists everywhere, in a view, too; what it hides was opened before, or is not needed."""

_FLAGS = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
_SEALED = libc.MS_BIND | libc.MS_REMOUNT | libc.MS_RDONLY | libc.MS_NOSUID
# What statvfs says of a mount; a less privileged user may not take these away in a bind mount.
_KEPT = (
    (os.ST_NODEV, libc.MS_NODEV),
    (os.ST_NOEXEC, libc.MS_NOEXEC),
    (os.ST_NOATIME, libc.MS_NOATIME),
    (os.ST_NODIRATIME, libc.MS_NODIRATIME),
    (os.ST_RELATIME, libc.MS_RELATIME),
)


class Place(NamedTuple):
    """A file or directory to keep, with all that is in it but other mounts."""

    path: str
    writable: bool = False


def seal(target: str) -> None:
    """Make a mount read-only, and programs there without rights of their own. Raises OSError."""
    found = os.statvfs(target).f_flag
    libc.mount("", target, "", _SEALED | sum(ours for theirs, ours in _KEPT if found & theirs))


def mount_small(target: str) -> None:
    """Mount an empty file system with room for names and mount points only. Raises OSError."""
    libc.mount("tmpfs", target, "tmpfs", _FLAGS, "size=64k,nr_inodes=256,mode=755")


def make_mount_point(target: str, *, directory: bool) -> None:
    """Make what a mount is to cover, and what leads to it, unless it is there. Raises OSError."""
    parent = os.path.dirname(target)
    if not os.path.isdir(parent):
        make_mount_point(parent, directory=True)
    try:
        if directory:
            os.mkdir(target, 0o755)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass


def unshare_mounts() -> None:
    """Move this thread to a copy of its mount namespace, which changes nothing elsewhere.

    Raises OSError.
    """
    libc.unshare(libc.CLONE_NEWNS)
    libc.mount("", "/", "", libc.MS_REC | libc.MS_SLAVE)


def enter_view(places: Iterable[Place]) -> None:
    """Leave this thread, which has unshared its mounts, nothing but these places. Raises OSError.

    What does not exist is left out. All else is a small read-only file system.
    """
    trees = [(place, tree) for place in _distinct(places) if (tree := _open(place.path)) >= 0]
    try:
        mount_small(MOUNT_POINT)
        os.mkdir(MOUNT_POINT + MOUNT_POINT, 0o755)
        for place, tree in trees:
            target = MOUNT_POINT + place.path
            make_mount_point(target, directory=stat.S_ISDIR(os.fstat(tree).st_mode))
            libc.move_mount(tree, target)
            if not place.writable:
                seal(target)
        seal(MOUNT_POINT)
        libc.enter_root(MOUNT_POINT)
    finally:
        for _, tree in trees:
            os.close(tree)


def open_namespace(thread: int) -> int:
    """Return this thread's mount namespace; `thread` is its directory in /proc. Raises OSError.

    Whoever enters that namespace must find this thread's root there.
    """
    root = os.stat("/")
    namespace = os.open("ns/mnt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=thread)
    try:
        libc.setns(namespace, libc.CLONE_NEWNS)
        if not os.path.samestat(root, os.stat("/")):
            raise OSError(EXDEV, os.strerror(EXDEV))
    except BaseException:
        os.close(namespace)
        raise
    return namespace


def _distinct(places: Iterable[Place]) -> list[Place]:
    """Return one place for each path, those above before those below."""
    found: dict[str, bool] = {}
    for path, writable in places:
        path = os.path.abspath(path)
        if path == "/":
            raise OSError(EBUSY, "the root directory cannot be a place")
        found[path] = writable or found.get(path, False)
    return [Place(path, found[path]) for path in sorted(found)]


def _open(path: str) -> int:
    try:
        return libc.open_tree(path)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR):
            return -1
        raise
