"""System calls that Python 3.10 does not offer, through the C library.

The module `ctypes` takes several milliseconds to import, nearly all of them for types that are not
needed here. So this module uses `_ctypes`, of which `ctypes` is made.
"""

from __future__ import annotations

import os
from _ctypes import (
    FUNCFLAG_CDECL,
    FUNCFLAG_USE_ERRNO,
    Array,
    CFuncPtr,
    _SimpleCData,
    dlopen,
    dlsym,
    get_errno,
)
from errno import EINVAL
from sys import byteorder

# linux/mount.h, and sys/mount.h for umount2.
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_DIRSYNC = 0x80
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

# linux/mount.h, and the same numbers of system calls on all machines.
_OPEN_TREE, _MOVE_MOUNT = 428, 429
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_AT_FDCWD = -100

# linux/sched.h
CLONE_FS = 0x00000200
CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4

# linux/capability.h: version 3, which has two halves of 32 bits; 0 is the calling thread.
_CAPABILITY_HEADER = (0x20080522).to_bytes(4, byteorder) + bytes(4)


class _Long(_SimpleCData):  # type: ignore[type-arg]
    """A C `unsigned long`; a bare int would be passed as a C `int`."""

    _type_ = "L"


class Unsigned(_SimpleCData):  # type: ignore[type-arg]
    """A C `unsigned int`."""

    _type_ = "I"


class _CapabilitySets(Array):  # type: ignore[type-arg]
    """Effective, permitted and inheritable capabilities: first the lower halves, then the upper."""

    _type_ = Unsigned
    _length_ = 6


class _Function(CFuncPtr):
    """A function of the C library that returns an int and sets errno."""

    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO


_library = dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]  # None is this process


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Call mount(2); an empty string stands for no source, type or data. Raises OSError."""
    names = (os.fsencode(text) or None for text in (source, target, kind))
    _call("mount", *names, _Long(flags), os.fsencode(data) or None)


def unmount(target: str, flags: int) -> None:
    """Call umount2(2). Raises OSError."""
    _call("umount2", os.fsencode(target), flags)


def unshare(flags: int) -> None:
    """Move this process, or its next children, to new namespaces. Raises OSError."""
    _call("unshare", flags)


def setns(descriptor: int, flags: int) -> None:
    """Move this process, or its next children, to existing namespaces. Raises OSError.

    The descriptor is that of one namespace, or a pidfd.
    """
    _call("setns", descriptor, flags)


def become_subreaper() -> None:
    """Make this process the parent of its orphaned descendants. Raises OSError."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signal: int) -> None:
    """Make the kernel send this process a signal when its parent thread ends. Raises OSError."""
    _prctl(_PR_SET_PDEATHSIG, signal)


def forbid_new_privileges() -> None:
    """Let no program that this process executes gain rights by its file. Raises OSError."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def forbid_inspection() -> None:
    """Let only processes with CAP_SYS_PTRACE see the inside of this process. Raises OSError."""
    _prctl(_PR_SET_DUMPABLE, 0)


def drop_from_bounding_set(capability: int) -> None:
    """Take a capability from what a program's file can give. Raises OSError.

    EINVAL: the kernel has no capability with this number, or a higher one.
    """
    _prctl(_PR_CAPBSET_DROP, capability)


def permitted_capabilities() -> int:
    """Return the capabilities that this process may use, one bit each. Raises OSError."""
    sets = _CapabilitySets()
    _call("capget", _CAPABILITY_HEADER, sets)
    _, low, _, _, high, _ = sets
    return int(high << 32 | low)


def set_capabilities(mask: int) -> None:
    """Have these capabilities, and let executed programs inherit none. Raises OSError."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    _call("capset", _CAPABILITY_HEADER, _CapabilitySets(low, low, 0, high, high, 0))


def enter_root(directory: str) -> None:
    """Make a mount point the root of this thread and its mount namespace. Raises OSError.

    All other mounts of the namespace are given up, unless it is the kernel's first root, from an
    initramfs: that can only be covered.
    """
    os.chdir(directory)
    try:
        _call("pivot_root", b".", b".")  # the old root is then mounted over the new one
        unmount(".", MNT_DETACH)
    except OSError as error:
        if error.errno != EINVAL:
            raise
        mount(directory, "/", "", MS_MOVE)
        os.chroot(".")
    os.chdir("/")


def open_tree(path: str) -> int:
    """Return a descriptor of a new mount of a directory, at no place yet (open_tree(2)).

    Raises OSError.
    """
    flags = _Long(_OPEN_TREE_CLONE | os.O_CLOEXEC)
    return _call("syscall", _Long(_OPEN_TREE), _AT_FDCWD, os.fsencode(path), flags)


def move_mount(descriptor: int, target: str) -> None:
    """Mount what `open_tree` returned at a place (move_mount(2)). Raises OSError."""
    flags = _Long(_MOVE_MOUNT_F_EMPTY_PATH)
    _call("syscall", _Long(_MOVE_MOUNT), descriptor, b"", _AT_FDCWD, os.fsencode(target), flags)


def _prctl(operation: int, value: int) -> None:
    _call("prctl", operation, *(_Long(word) for word in (value, 0, 0, 0)))


def _call(name: str, *arguments: object) -> int:
    result = int(_Function(dlsym(_library, name))(*arguments))
    if result < 0:
        number = get_errno()
        raise OSError(number, os.strerror(number))
    return result
