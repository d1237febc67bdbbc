"""The parts of the kernel's file tree: directories, links, and files backed by functions."""

from __future__ import annotations

import select
import stat
from collections.abc import Callable, Mapping
from errno import EACCES, EINVAL, EIO, ENODEV
from functools import cache
from typing import Protocol

PAGE = 4096  # bytes; the size that sysfs gives every attribute, and the most of one write
READABLE = select.POLLIN | select.POLLRDNORM
READY = READABLE | select.POLLOUT | select.POLLWRNORM


class Waiter(Protocol):
    """A program that waits in poll(2) for an event of a file. One method is called, once."""

    def notify(self) -> None:
        """Let the program ask again: there may be an event."""

    def forget(self) -> None:
        """Do nothing more for the program: it asks again by itself, or has ended."""


class Handle:
    """An open file. The program that uses the file gets the errno of an OSError raised here."""

    def read(self, size: int, offset: int) -> bytes:
        """Return up to `size` bytes at an offset; b"" at the end."""
        raise OSError(EACCES, "", size, offset)

    def write(self, data: bytes, offset: int) -> int:
        """Write bytes at an offset; return how many bytes were taken."""
        raise OSError(EACCES, "", data, offset)

    def poll(self, waiter: Waiter | None) -> int:
        """Return the events of poll(2) that there are now; without any, keep the waiter."""
        if waiter:
            waiter.forget()
        return READY

    def close(self) -> None:
        """Forget what waits for the file: no program has the file open any more."""


class Binding:
    """The binding of a driver to a device; once `ended`, the device's files answer an errno."""

    ended = False


class Node:
    """Anything that has a name in the tree. `mode` includes the file type.

    A file that is open when its `binding` ends answers with `errno_unbound` from then on.
    """

    binding: Binding | None = None
    errno_unbound = EIO  # fs/debugfs/file.c (debugfs_file_get)

    def __init__(self, mode: int, size: int = 0) -> None:
        self.mode = mode
        self.size = size

    def open(self, _flags: int, /) -> Handle:
        """Open the file, with the flags of open(2). Raises OSError."""
        raise OSError(EINVAL, "not a file")


Children = Mapping[str, Node] | Callable[[], Mapping[str, Node]]


class Directory(Node):
    """A directory. A function as `children` is called for each request: its content changes."""

    def __init__(self, children: Children, mode: int = 0o755) -> None:
        super().__init__(stat.S_IFDIR | mode)
        self._children = children

    def children(self) -> Mapping[str, Node]:
        """Return the current content by name."""
        return self._children() if callable(self._children) else self._children


class Link(Node):
    """A symbolic link."""

    def __init__(self, target: str) -> None:
        super().__init__(stat.S_IFLNK | 0o777, len(target))
        self.target = target


Show = Callable[[], bytes]
Store = Callable[[bytes], None]


class Attribute(Node):
    """A file of sysfs: a read at offset 0 takes the value; a write sets it at any offset.

    Source: Linux fs/sysfs/file.c, fs/kernfs/file.c (kernfs_fop_write_iter), fs/seq_file.c.
    """

    errno_unbound = ENODEV

    def __init__(self, show: Show, store: Store | None = None, mode: int = 0) -> None:
        super().__init__(stat.S_IFREG | (mode or (0o644 if store else 0o444)), PAGE)
        self.show = show
        self.store = store

    def open(self, _flags: int, /) -> Handle:
        """Open the file; each handle takes the value when it is read."""
        return _AttributeHandle(self)


class _AttributeHandle(Handle):
    def __init__(self, attribute: Attribute) -> None:
        self._attribute = attribute
        self._text: bytes | None = None

    def read(self, size: int, offset: int) -> bytes:
        if offset == 0 or self._text is None:
            self._text = self._attribute.show()[: PAGE - 1]
        return self._text[offset : offset + size]

    def write(self, data: bytes, offset: int) -> int:  # noqa: ARG002 -- as in the kernel
        if self._attribute.store is None:
            raise OSError(EACCES, "")
        self._attribute.store(data[:PAGE])
        return min(len(data), PAGE)


class DebugFile(Node):
    """A file of debugfs: every read takes a new value, at any offset."""

    def __init__(self, mode: int, show: Show | None = None, store: Store | None = None) -> None:
        super().__init__(stat.S_IFREG | mode)
        self._show = show
        self._store = store

    def open(self, _flags: int, /) -> Handle:
        """Open the file."""
        return _DebugHandle(self._show, self._store)


class SeqFile(DebugFile):
    """A file of debugfs that takes its text once, when it is read first (fs/seq_file.c)."""

    def open(self, _flags: int, /) -> Handle:
        """Open the file."""
        return _DebugHandle(self._show and cache(self._show), None)


class _DebugHandle(Handle):
    def __init__(self, show: Show | None, store: Store | None) -> None:
        self._show = show
        self._store = store

    def read(self, size: int, offset: int) -> bytes:
        if self._show is None:
            raise OSError(EINVAL, "")
        return self._show()[offset : offset + size]

    def write(self, data: bytes, offset: int) -> int:  # noqa: ARG002 -- as in the kernel
        if self._store is None:
            raise OSError(EINVAL, "")
        self._store(data)
        return len(data)


def find(root: Node, path: str) -> Node | None:
    """Return the node at a path below `root`; None if there is none."""
    node = root
    for name in filter(None, path.split("/")):
        child = node.children().get(name) if isinstance(node, Directory) else None
        if child is None:
            return None
        node = child
    return node
