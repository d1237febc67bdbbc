"""What FUSE asks, answered from the tree."""

from __future__ import annotations

import itertools
import os
import select
import stat
import threading
from collections.abc import Callable
from errno import EACCES, EBADF, EINVAL, EIO, ENODEV, ENOENT, EPERM
from typing import Any, NoReturn

from adapters.sim.fuse.nodes import Attribute, Directory, Handle, Link, Node, find

_WRITES = os.O_WRONLY | os.O_RDWR
_READY = select.POLLIN | select.POLLOUT | select.POLLRDNORM | select.POLLWRNORM
_POLL_UNBOUND = {ENODEV: select.POLLERR | select.POLLPRI, EIO: select.POLLHUP}
"""Source: Linux fs/kernfs/file.c (kernfs_fop_poll), fs/debugfs/file.c (full_proxy_poll)."""


def _forbidden(*_: object) -> NoReturn:
    raise OSError(EPERM, "")


class KernelTree:
    """Operations of a tree in which only attributes change.

    `mounted` is called once it is; `forget` with libfuse's handle of a program that polls.
    """

    use_ns = True
    # Nobody makes, removes or renames anything in sysfs.
    mknod = mkdir = unlink = rmdir = symlink = link = rename = staticmethod(_forbidden)

    def __init__(
        self, root: Directory, mounted: Callable[[], None], forget: Callable[[int], None]
    ) -> None:
        self._root = root
        self._mounted = mounted
        self._forget = forget
        self._owner = (os.getuid(), os.getgid())
        self._status: dict[str, dict[str, int]] = {}  # what chmod and chown have changed
        self._handles: dict[int, tuple[Handle, Node]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._time = _now()

    def init(self, path: str) -> None:  # noqa: ARG002 -- given by mfusepy
        """Tell that the mount is there."""
        self._mounted()

    def _find(self, path: str) -> Node:
        node = find(self._root, path)
        if node is None:
            raise OSError(ENOENT, "")
        return node

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return a stat."""
        node = self._find(path)
        changed = self._status.get(path, {})
        mode = stat.S_IFMT(node.mode) | changed.get("mode", stat.S_IMODE(node.mode))
        return {
            "st_mode": mode,
            "st_nlink": 2 if isinstance(node, Directory) else 1,
            "st_size": node.size,
            "st_uid": changed.get("uid", self._owner[0]),
            "st_gid": changed.get("gid", self._owner[1]),
            "st_atime": self._time,
            "st_mtime": self._time,
            "st_ctime": self._time,
        }

    def readdir(self, path: str, fh: int) -> list[str]:  # noqa: ARG002
        """List a directory."""
        node = self._find(path)
        return [".", "..", *(node.children() if isinstance(node, Directory) else ())]

    def readlink(self, path: str) -> str:
        """Return a link's target."""
        node = self._find(path)
        if not isinstance(node, Link):
            raise OSError(EINVAL, "")
        return node.target

    def open(self, path: str, flags: int) -> int:
        """Open a file; in sysfs, not even root goes against all bits of its mode."""
        node = self._find(path)
        mode = self.getattr(path)["st_mode"]
        if isinstance(node, Attribute) and (
            (flags & _WRITES and not mode & 0o222) or (not flags & os.O_WRONLY and not mode & 0o444)
        ):
            raise OSError(EACCES, "")
        handle = node.open(flags)
        with self._lock:
            number = next(self._numbers)
            self._handles[number] = (handle, node)
        return number

    def create(self, path: str, mode: int, fi: object = None) -> NoReturn:  # noqa: ARG002
        """Refuse."""
        raise OSError(EACCES, "")

    def _handle(self, fh: int) -> Handle:
        found = self._handles.get(fh)
        if found is None:
            raise OSError(EBADF, "")
        handle, node = found
        if node.binding and node.binding.ended:
            raise OSError(node.errno_unbound, "")
        return handle

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:  # noqa: ARG002
        """Read."""
        return self._handle(fh).read(size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:  # noqa: ARG002
        """Write; blocks as long as the kernel would."""
        return self._handle(fh).write(data, offset)

    def poll(self, path: str, fh: int, handle: int | None, events: Any) -> int:  # noqa: ARG002
        """Call every file ready, but one whose device has gone out of order, as sysfs does."""
        _, node = self._handles.get(fh, (None, None))
        unbound = node is not None and node.binding is not None and node.binding.ended
        events[0] = _READY | (_POLL_UNBOUND[node.errno_unbound] if node and unbound else 0)
        if handle:
            self._forget(handle)  # nothing will happen that it should be told
        return 0

    def release(self, path: str, fh: int) -> int:  # noqa: ARG002
        """Close."""
        with self._lock:
            self._handles.pop(fh, None)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        """Change a mode, as boards do to let users start processors."""
        self._find(path)
        self._status.setdefault(path, {})["mode"] = stat.S_IMODE(mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        """Change an owner; a value that is -1 stays."""
        self._find(path)
        given = {"uid": uid, "gid": gid}
        # mfusepy gives (uid_t)-1 as -1 or as it is.
        kept = {key: value for key, value in given.items() if value not in (-1, 0xFFFFFFFF)}
        self._status.setdefault(path, {}).update(kept)
        return 0

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:  # noqa: ARG002
        """Do nothing, successfully: `echo >state` truncates first."""
        self._find(path)
        return 0

    def utimens(self, path: str, times: object = None) -> int:  # noqa: ARG002
        """Do nothing, successfully."""
        self._find(path)
        return 0


def _now() -> int:
    import time

    return time.time_ns()
