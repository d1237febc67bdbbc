"""Answers the requests of FUSE from the tree of nodes."""

from __future__ import annotations

import itertools
import os
import select
import stat
import threading
import time
from collections.abc import Callable
from errno import EACCES, EBADF, EINVAL, EIO, ENODEV, ENOENT, EPERM
from typing import Any, NoReturn

from adapters.sim.fuse.nodes import Attribute, Directory, Handle, Link, Node, Waiter, find

_WRITES = os.O_WRONLY | os.O_RDWR
_POLL_UNBOUND = {ENODEV: select.POLLERR | select.POLLPRI, EIO: select.POLLHUP}
"""Source: Linux fs/kernfs/file.c (kernfs_fop_poll), fs/debugfs/file.c (full_proxy_poll)."""


def _forbidden(*_: object) -> NoReturn:
    raise OSError(EPERM, "")


class KernelTree:
    """The operations of mfusepy, on a tree in which programs can change only attributes.

    `mounted` is called once the tree is mounted; `waiter` takes libfuse's handle of a poll.
    """

    use_ns = True
    # No program can create, remove or rename a file in sysfs.
    mknod = mkdir = unlink = rmdir = symlink = link = rename = staticmethod(_forbidden)

    def __init__(
        self, root: Directory, mounted: Callable[[], None], waiter: Callable[[int], Waiter]
    ) -> None:
        self._root = root
        self._mounted = mounted
        self._waiter = waiter
        self._owner = (os.getuid(), os.getgid())
        self._status: dict[str, dict[str, int]] = {}  # what chmod and chown have changed
        self._handles: dict[int, tuple[Handle, Node]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._time = time.time_ns()

    def init(self, path: str) -> None:  # noqa: ARG002 -- given by mfusepy
        """Report that the tree is mounted."""
        self._mounted()

    def _find(self, path: str) -> Node:
        node = find(self._root, path)
        if node is None:
            raise OSError(ENOENT, "")
        return node

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the status of a file, as stat(2)."""
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
        """List the names in a directory."""
        node = self._find(path)
        return [".", "..", *(node.children() if isinstance(node, Directory) else ())]

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link."""
        node = self._find(path)
        if not isinstance(node, Link):
            raise OSError(EINVAL, "")
        return node.target

    def open(self, path: str, flags: int) -> int:
        """Open a file; in sysfs, even root needs a mode with the right bit set for any user."""
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
        """Refuse to create a file: EACCES, as in sysfs."""
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
        """Read from an open file."""
        return self._handle(fh).read(size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:  # noqa: ARG002
        """Write to an open file; blocks as long as the kernel would."""
        return self._handle(fh).write(data, offset)

    def poll(self, path: str, fh: int, handle: int | None, events: Any) -> int:  # noqa: ARG002
        """Report the events of a file; after its driver was unbound, an error as sysfs does."""
        found, node = self._handles.get(fh, (Handle(), None))
        events[0] = found.poll(self._waiter(handle) if handle else None)
        if node is not None and node.binding is not None and node.binding.ended:
            events[0] |= _POLL_UNBOUND[node.errno_unbound]
        return 0

    def release(self, path: str, fh: int) -> int:  # noqa: ARG002
        """Forget an open file."""
        with self._lock:
            found, _ = self._handles.pop(fh, (None, None))
        if found is not None:
            found.close()
        return 0

    def destroy(self, path: str) -> None:  # noqa: ARG002
        """Forget all open files: a waiter that is notified after this would crash libfuse."""
        for handle, _ in self._handles.values():
            handle.close()

    def chmod(self, path: str, mode: int) -> int:
        """Change the mode of a file, as boards do to let users start processors."""
        self._find(path)
        self._status.setdefault(path, {})["mode"] = stat.S_IMODE(mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        """Change owner and group of a file; -1 leaves one unchanged."""
        self._find(path)
        given = {"uid": uid, "gid": gid}
        # mfusepy passes (uid_t)-1 as -1 or as 2**32 - 1.
        kept = {key: value for key, value in given.items() if value not in (-1, 0xFFFFFFFF)}
        self._status.setdefault(path, {}).update(kept)
        return 0

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:  # noqa: ARG002
        """Succeed without any effect: the shell truncates in `echo start >state`."""
        self._find(path)
        return 0

    def utimens(self, path: str, times: object = None) -> int:  # noqa: ARG002
        """Succeed without any effect."""
        self._find(path)
        return 0
