"""System calls that Python 3.11 has no functions for, and files read and written whole."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWNET = 0x00020000, 0x02000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
PR_SET_CHILD_SUBREAPER = 36

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise OSError with what was tried, if a system call failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2); an empty text stands for no text."""
    names = [text.encode() or None for text in (source, target, fstype)]
    check(libc.mount(*names, ctypes.c_ulong(flags), data.encode() or None), f"mount {target}")


def read(path: str) -> str:
    """A whole file."""
    with open(path) as file:
        return file.read()


def write(path: str, text: str) -> None:
    """Replace a whole file, or write a kernel attribute."""
    with open(path, "w") as file:
        file.write(text)
