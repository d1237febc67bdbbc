"""What a kernel's file tree consists of: directories, links, and files made of functions."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from errno import EACCES, EINVAL, EIO, ENODEV

PAGE = 4096  # bytes; the size that sysfs gives every attribute, and the most of one write


class Handle:
    """An open file; both methods raise OSError, which goes to the caller as it is."""

    def read(self, size: int, offset: int) -> bytes:
        """Return what is there; b"" is the end."""
        raise OSError(EACCES, "", size, offset)

    def write(self, data: bytes, offset: int) -> int:
        """Return how many bytes were taken."""
        raise OSError(EACCES, "", data, offset)


class Binding:
    """The time for which a driver has a device; when it is `over`, so are the device's files."""

    ended = False


class Node:
    """Anything with a name. `mode` has the type, too.

    One that is open when its `binding` is over answers with the errno `gone`.
    """

    binding: Binding | None = None
    errno_unbound = EIO  # fs/debugfs/file.c (debugfs_file_get)

    def __init__(self, mode: int, size: int = 0) -> None:
        self.mode = mode
        self.size = size

    def open(self, _flags: int, /) -> Handle:
        """Open a file, with the flags of open(2)."""
        raise OSError(EINVAL, "not a file")


Children = Mapping[str, Node] | Callable[[], Mapping[str, Node]]


class Directory(Node):
    """`children` is asked each time: what is in there comes and goes."""

    def __init__(self, children: Children, mode: int = 0o755) -> None:
        super().__init__(stat.S_IFDIR | mode)
        self._children = children

    def children(self) -> Mapping[str, Node]:
        """Return what is in there now."""
        return self._children() if callable(self._children) else self._children


class Link(Node):
    """A symbolic link."""

    def __init__(self, target: str) -> None:
        super().__init__(stat.S_IFLNK | 0o777, len(target))
        self.target = target


Show = Callable[[], bytes]
Store = Callable[[bytes], None]


class Attribute(Node):
    """A file of sysfs: read whole at offset 0, written whole whatever the offset.

    Source: Linux fs/sysfs/file.c, fs/kernfs/file.c (kernfs_fop_write_iter), fs/seq_file.c.
    """

    errno_unbound = ENODEV

    def __init__(self, show: Show, store: Store | None = None, mode: int = 0) -> None:
        super().__init__(stat.S_IFREG | (mode or (0o644 if store else 0o444)), PAGE)
        self.show = show
        self.store = store

    def open(self, _flags: int, /) -> Handle:
        """Open it; values are taken when they are read."""
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
    """A file of debugfs: made anew for every read, at whatever offset."""

    def __init__(self, mode: int, show: Show | None = None, store: Store | None = None) -> None:
        super().__init__(stat.S_IFREG | mode)
        self._show = show
        self._store = store

    def open(self, _flags: int, /) -> Handle:
        """Open it."""
        return _DebugHandle(self._show, self._store)


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
    """Walk down from a directory; None where there is nothing of that name."""
    node = root
    for name in filter(None, path.split("/")):
        child = node.children().get(name) if isinstance(node, Directory) else None
        if child is None:
            return None
        node = child
    return node
