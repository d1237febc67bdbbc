"""Guesses which file of an image was meant by a path that is not there. For error messages only."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from difflib import get_close_matches

_LOOKED_AT = 2000  # files and directories; an image of firmware has a few
# Characters: to compare longer names takes the square of their length, and an image may have many.
_LONGEST = 40
_DEEPEST = 16  # directories in directories: each is reached from the root anew


def near_miss(root: int, path: str) -> str:
    """Return the path, from the root, of a file whose name is like the wanted one; `` for none.

    `root` is a descriptor of the image's root. Links are not followed.
    """
    wanted = os.path.basename(path.strip("/ \t\r\n")).casefold()
    by_name: dict[str, str] = {}
    for found in _files(root):
        by_name.setdefault(os.path.basename(found).casefold(), found)
    short = (name for name in by_name if len(name) <= _LONGEST) if len(wanted) <= _LONGEST else ()
    names = get_close_matches(wanted, short, n=1, cutoff=0.7)
    stems = (wanted.removesuffix(".elf"), f"{wanted}.elf")
    name = next((n for n in (wanted, *stems, *names) if n in by_name), "")
    return by_name[name] if name else ""


def _files(root: int) -> Iterator[str]:
    """Yield the regular files, those of a directory before those below it."""
    left, pending = _LOOKED_AT, deque([""])
    while pending:
        folder = pending.popleft()
        try:
            names = _names(root, folder)
        except OSError:
            continue
        for name, mode in names:
            left -= 1
            if left < 0:
                return
            if stat.S_ISDIR(mode) and folder.count("/") < _DEEPEST:
                pending.append(f"{folder}{name}/")
            elif stat.S_ISREG(mode):
                yield f"/{folder}{name}"


def _names(root: int, folder: str) -> list[tuple[str, int]]:
    """Return the names in a directory and their modes. Raises OSError."""
    at = os.dup(root)
    try:
        for part in (".", *filter(None, folder.split("/"))):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            above, at = at, os.open(part, flags, dir_fd=at)
            os.close(above)
        return [
            (name, os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
            for name in sorted(os.listdir(at))[:_LOOKED_AT]
        ]
    finally:
        os.close(at)
