"""Mounts and unmounts the root file system of a container, by the mounts that containerd lists.

Source of the options' meaning: containerd core/mount/mount_linux.go.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from domain.errors import InvalidRequest, host_fault

_RDONLY, _REMOUNT, _BIND, _REC = 0x1, 0x20, 0x1000, 0x4000
_DETACH, _NOFOLLOW = 0x2, 0x8
_DATA_MAX = 4095  # mount(2) takes one page

# For each option: whether it sets (or clears) a flag of mount(2), and which flag.
_FLAGS = {
    "ro": (True, _RDONLY),
    "rw": (False, _RDONLY),
    "nosuid": (True, 0x2),
    "suid": (False, 0x2),
    "nodev": (True, 0x4),
    "dev": (False, 0x4),
    "noexec": (True, 0x8),
    "exec": (False, 0x8),
    "sync": (True, 0x10),
    "async": (False, 0x10),
    "remount": (True, _REMOUNT),
    "dirsync": (True, 0x80),
    "noatime": (True, 0x400),
    "atime": (False, 0x400),
    "nodiratime": (True, 0x800),
    "diratime": (False, 0x800),
    "bind": (True, _BIND),
    "rbind": (True, _BIND | _REC),
    "relatime": (True, 1 << 21),
    "norelatime": (False, 1 << 21),
    "strictatime": (True, 1 << 24),
    "nostrictatime": (False, 1 << 24),
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
    """Mount all on the root, in their order; if one fails, unmount the others."""
    done = False
    try:
        for mount in mounts:
            os.makedirs(root, 0o711, exist_ok=True)
            done = True
            _mount(mount, os.path.normpath(f"{root}/{mount.target}") if mount.target else root)
    except BaseException:
        if done:
            unmount_all(root)
        raise


def unmount_all(root: str) -> None:
    """Unmount all that is mounted on the root; no error if nothing is mounted there."""
    libc = ctypes.CDLL(None, use_errno=True)
    while libc.umount2(os.fsencode(root), _DETACH | _NOFOLLOW) == 0:
        pass
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOENT):
        raise host_fault(f"cannot unmount {root}", OSError(number, os.strerror(number)))


def _mount(mount: Mount, target: str) -> None:
    flags, data = _read(mount)
    _call(mount.source, target, mount.type, flags & ~_REMOUNT if flags & _BIND else flags, data)
    if flags & _BIND and flags & _RDONLY:
        # For a new bind mount the kernel ignores the other flags; a remount sets them (mount(2)).
        _call("", target, "", flags | _REMOUNT, "")


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


def _call(source: str, target: str, kind: str, flags: int, data: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    texts = [os.fsencode(text) or None for text in (source or "none", target, kind)]
    result = libc.mount(*texts, ctypes.c_ulong(flags), os.fsencode(data) or None)
    if result < 0:
        number = ctypes.get_errno()
        raise host_fault(
            f"cannot mount {source or kind} ({kind or 'remount'}) on {target}",
            OSError(number, os.strerror(number)),
        )
