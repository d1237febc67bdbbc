"""Directories that nobody else can change, as sshd's option StrictModes demands them.

Whoever may write to a directory may put a link in the place of what is in it. So each directory on
the path, and each link, must belong to root or to this user, and no other user may write there. In
a directory such as /tmp (mode 1777), others cannot replace what is root's or this user's.
"""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENOTDIR

from adapters.linux.files import open_directory, read_all
from domain.errors import HostFault, host_fault

_LINKS_MAX = 40  # as in the kernel's own resolution of paths
_TRIES = 100  # to make a directory that others remove; in /proc there will never be one
_OTHERS_WRITE = 0o022
_ELSEWHERE = "choose another --root or `run-directory`"


def private_directory(path: str) -> None:
    """Make the directory and all that leads to it, of mode 0700 whatever the umask; check them.

    Raises HostFault, also where another user could change what is in it.
    """
    _walk(path, make=True)


def check_private(path: str) -> None:
    """Check a directory as `private_directory` does; no error if there is none.

    Raises HostFault.
    """
    _walk(path, make=False)


def open_private(path: str) -> int:
    """Open a directory that is this user's. Raises OSError, PermissionError if others may write it.

    What leads to the directory is not checked.
    """
    directory = open_directory(path)
    try:
        check_owner(directory)
    except BaseException:
        os.close(directory)
        raise
    return directory


def check_owner(descriptor: int) -> None:
    """Raise PermissionError if another user owns the open file or may write it."""
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
        raise PermissionError("another user may write it")


def make_directories(path: str) -> None:
    """Make the directory and all that leads to it, of mode 0700 whatever the umask; check nothing.

    Raises OSError.
    """
    if path in ("", "/") or os.path.isdir(path):
        return
    make_directories(os.path.dirname(path))
    _make(path)


def _make(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    os.chmod(path, 0o700)  # a umask may have taken the user's own bits


def _walk(path: str, *, make: bool) -> None:
    path = os.path.abspath(path)
    what = "make" if make else "use"
    for left in reversed(range(_TRIES)):
        try:
            _check_each(path, make=make)
            return
        except OSError as error:
            absent = isinstance(error, FileNotFoundError)
            if absent and not make:
                return
            if not (absent and left):
                raise host_fault(f"cannot {what} the directory {path}", error) from error
            # Another process has removed the directory, as it was empty: make it again.


def _check_each(path: str, *, make: bool) -> None:
    """Check each level of the path; raises OSError, HostFault.

    Nobody else can change what was checked, so the next level is found there later on, too.
    """
    at, left, links = "/", _names(path), 0
    status = os.lstat(at)
    _check(at, status, path)
    while left:
        name = left.pop()
        if name == "..":
            at = os.path.dirname(at)
            status = os.lstat(at)
            continue
        child = f"{at.rstrip('/')}/{name}"
        try:
            status = os.lstat(child)
        except FileNotFoundError:
            if not make:
                raise
            _make(child)
            status = os.lstat(child)
        if not stat.S_ISLNK(status.st_mode):
            at = child
            _check(at, status, path)
            continue
        if not _trusted(status.st_uid):
            raise _belongs(child, status, path)
        links += 1
        if links > _LINKS_MAX:
            raise OSError(ELOOP, os.strerror(ELOOP))
        target = os.readlink(child)
        at = "/" if target.startswith("/") else at
        left += _names(target)
    if status.st_uid != os.geteuid():
        raise _belongs(at, status, path)
    if status.st_mode & _OTHERS_WRITE:
        raise _writable(at, path)


def _check(at: str, status: os.stat_result, path: str) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise OSError(ENOTDIR, os.strerror(ENOTDIR))
    if not _trusted(status.st_uid):
        raise _belongs(at, status, path)
    if status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX:
        raise _writable(at, path)


def _belongs(at: str, status: os.stat_result, path: str) -> HostFault:
    hint = f"{_ELSEWHERE}, or remove that directory"
    return HostFault(f"{_named(at, path)} belongs to user {status.st_uid}", hint=hint)


def _writable(at: str, path: str) -> HostFault:
    hint = f"{_ELSEWHERE}, or forbid that: chmod go-w {at}"
    return HostFault(f"other users can write to {_named(at, path).rstrip(',')}", hint=hint)


def _named(at: str, path: str) -> str:
    return f"directory {at}" if at == path else f"directory {at}, which leads to {path},"


def _names(path: str) -> list[str]:
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _trusted(user: int) -> bool:
    return user in (0, os.geteuid()) or _is_unmapped(user)


def _is_unmapped(user: int) -> bool:
    """Return whether a user namespace hides who this is: it is root, for all that can be told."""
    from adapters.linux.process import privileged

    return not privileged() and user == int(read_all("/proc/sys/kernel/overflowuid"))
