"""Mounts and unmounts the root file system of a container, by the mounts that containerd lists.

Source of the options' meaning: containerd core/mount/mount_linux.go.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from adapters.images.rootfs import walk_in_root
from adapters.linux import libc
from domain.errors import InvalidRequest, host_fault

_DATA_MAX = 4095  # mount(2) takes one page

# For each option: whether it sets (or clears) a flag of mount(2), and which flag.
_FLAGS = {
    "ro": (True, libc.MS_RDONLY),
    "rw": (False, libc.MS_RDONLY),
    "nosuid": (True, libc.MS_NOSUID),
    "suid": (False, libc.MS_NOSUID),
    "nodev": (True, libc.MS_NODEV),
    "dev": (False, libc.MS_NODEV),
    "noexec": (True, libc.MS_NOEXEC),
    "exec": (False, libc.MS_NOEXEC),
    "sync": (True, libc.MS_SYNCHRONOUS),
    "async": (False, libc.MS_SYNCHRONOUS),
    "remount": (True, libc.MS_REMOUNT),
    "dirsync": (True, libc.MS_DIRSYNC),
    "noatime": (True, libc.MS_NOATIME),
    "atime": (False, libc.MS_NOATIME),
    "nodiratime": (True, libc.MS_NODIRATIME),
    "diratime": (False, libc.MS_NODIRATIME),
    "bind": (True, libc.MS_BIND),
    "rbind": (True, libc.MS_BIND | libc.MS_REC),
    "relatime": (True, libc.MS_RELATIME),
    "norelatime": (False, libc.MS_RELATIME),
    "strictatime": (True, libc.MS_STRICTATIME),
    "nostrictatime": (False, libc.MS_STRICTATIME),
    "defaults": (True, 0),
}
_REFUSED = ("loop", "uidmap", "gidmap")


class Mount(Protocol):
    """containerd.types.Mount, as far as this module uses it."""

    type: str
    source: str
    target: str

    @property
    def options(self) -> Sequence[str]:
        """The options, as in mount(8)."""
        ...


class _Options(NamedTuple):
    flags: int
    data: str


def mount_all(mounts: Iterable[Mount], root: str) -> None:
    """Mount all on the root, or on their targets in it; if one fails, unmount the others.

    They are mounted in their order. The image that the first one mounts may have any links: a
    target is resolved inside the root, as a container with this root would resolve it.
    """
    done = False
    try:
        for mount in mounts:
            os.makedirs(root, 0o711, exist_ok=True)
            done = True
            _mount(mount, root)
    except BaseException:
        if done:
            unmount_all(root)
        raise


def unmount_all(root: str) -> None:
    """Unmount all that is mounted on the root, and with it what is mounted on targets in it.

    No error if nothing is mounted there.
    """
    while True:
        try:
            libc.unmount(root, libc.MNT_DETACH | libc.UMOUNT_NOFOLLOW)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                return
            raise host_fault(f"cannot unmount {root}", error) from error


def _mount(mount: Mount, root: str) -> None:
    flags, data = _read(mount)
    first = flags & ~libc.MS_REMOUNT if flags & libc.MS_BIND else flags
    _mount_at(root, mount.target, mount.source, mount.type, first, data)
    if flags & libc.MS_BIND and flags & libc.MS_RDONLY:
        # For a new bind mount the kernel ignores the other flags; a remount sets them (mount(2)).
        _mount_at(root, mount.target, "", "", flags | libc.MS_REMOUNT, "")


def _mount_at(root: str, target: str, source: str, kind: str, flags: int, data: str) -> None:
    """Mount on a target inside the root, by its descriptor: so no link leads elsewhere."""
    what = f"cannot mount {source or kind} ({kind or 'remount'}) on {os.path.join(root, target)}"
    try:
        at = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            place = walk_in_root(at, target)
        finally:
            os.close(at)
        try:
            libc.mount(source or "none", f"/proc/self/fd/{place}", kind, flags, data)
        finally:
            os.close(place)
    except OSError as error:
        raise host_fault(what, error) from error


def _read(mount: Mount) -> _Options:
    flags, data = 0, []
    for option in mount.options:
        if option.partition("=")[0] in _REFUSED:
            raise InvalidRequest(f"mount option {option!r} is not supported for firmware's images")
        if option in _FLAGS:
            sets, flag = _FLAGS[option]
            flags = flags | flag if sets else flags & ~flag
        elif option:
            data.append(option)
    text = ",".join(data)
    if len(os.fsencode(text)) > _DATA_MAX:
        raise InvalidRequest(
            f"the image's {mount.type} mount needs {len(text)} characters of options, "
            f"more than the kernel's {_DATA_MAX}",
            hint="build the image from fewer layers",
        )
    return _Options(flags, text)
