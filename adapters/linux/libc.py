"""System calls that Python 3.11 does not offer, through the C library.

ctypes is slow to import: import this module only where one of these calls is made.
"""

from __future__ import annotations

import ctypes
import os

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
MS_REC = 0x4000
MS_SLAVE = 1 << 19
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

# linux/sched.h
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
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Call mount(2); an empty string stands for no source, type or data. Raises OSError."""
    names = (os.fsencode(text) or None for text in (source, target, kind))
    _call("mount", *names, ctypes.c_ulong(flags), os.fsencode(data) or None)


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


def _prctl(operation: int, value: int) -> None:
    _call("prctl", operation, *(ctypes.c_ulong(word) for word in (value, 0, 0, 0)))


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
