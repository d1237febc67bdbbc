"""Opens a path inside an image's root as a container would see it, without entering the root.

Symbolic links, absolute ones too, and `..` stay inside the root, whatever the image does
meanwhile. What is returned is an O_PATH descriptor: nothing has been opened for reading yet, so
a FIFO does not block and a device does not notice.

Two strategies: openat2(2) with RESOLVE_IN_ROOT; and, where a kernel (before 5.6) or a seccomp
filter denies that call, a walk that takes each component with O_NOFOLLOW and follows links by
hand. The walk also explains every refusal: it knows at which component the path ended.
"""

from __future__ import annotations

import errno
import os
import stat

from domain.errors import InvalidRequest, NotFound, RemoteprocError, fault, reason

_SYS_OPENAT2 = 437  # the same on every architecture that Python and remoteproc share
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10

_LINKS_MAX = 40  # MAXSYMLINKS of the kernel
_PATH_MAX = 4095
_DEPTH_MAX = 256  # directories held open at once by the walk

_AT = os.O_PATH | os.O_CLOEXEC


def open_in_root(root: int, path: str) -> int:
    """Return an O_PATH descriptor of `path`, which is taken from the root, a descriptor.

    Raises NotFound, InvalidRequest (too long a name, too many links) or HostFault; ValueError
    for a NUL in `path`.
    """
    try:
        return open_by_kernel(root, path)
    except OSError:
        return open_by_walk(root, path)


def open_by_kernel(root: int, path: str) -> int:
    """Like `open_in_root`, by openat2 alone. Raises OSError: ENOSYS or EPERM if it is denied."""
    if "\0" in path:
        raise ValueError("embedded null byte")  # as os.open does; C would cut the path there
    import ctypes
    from struct import pack

    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    call.argtypes = (
        ctypes.c_long,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
    )
    how = pack("=QQQ", _AT, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)  # struct open_how
    found: int = call(_SYS_OPENAT2, root, os.fsencode(path), how, len(how))
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return found


def open_by_walk(root: int, path: str) -> int:
    """Like `open_in_root`, by the walk alone."""
    walk = _Walk(root, path)
    try:
        return walk.run()
    except OSError as error:
        raise walk.refusal(error) from error
    finally:
        walk.close()


class _Walk:
    """Where the walk has come to: `names` and `held` are the way down from the root.

    `..` goes back to a descriptor that is held: asking the kernel for it would lead out of the
    root if the directory were moved out meanwhile.
    """

    __slots__ = ("file", "held", "link", "names", "path", "pending", "root", "step")

    def __init__(self, root: int, path: str) -> None:
        self.root = root
        self.path = path
        self.pending = path.split("/")[::-1]
        self.names: list[str] = []
        self.held: list[int] = []
        self.file = False  # whether the last one held is no directory
        self.link = ""  # the last link followed, and its target
        self.step = ""

    def run(self) -> int:
        if len(os.fsencode(self.path)) > _PATH_MAX:
            raise _error(errno.ENAMETOOLONG)
        links = 0
        while self.pending:
            self.step = self.pending.pop()
            if self.file:
                raise _error(errno.ENOTDIR)
            if self.step in ("", "."):
                continue
            if self.step == "..":
                if self.held:
                    self.names.pop()
                    os.close(self.held.pop())
                continue
            target = self._enter(self.step)
            if target:
                links += 1
                if links > _LINKS_MAX:
                    raise _error(errno.ELOOP)
                self.pending.extend(target.split("/")[::-1])
                if target.startswith("/"):
                    self.close()
        return os.dup(self.held[-1] if self.held else self.root)

    def _enter(self, name: str) -> str:
        """Go one down; or, where that is a link, stay and return its target."""
        if len(self.held) >= _DEPTH_MAX:
            raise _error(errno.ENAMETOOLONG)
        above = self.held[-1] if self.held else self.root
        found = os.open(name, _AT | os.O_NOFOLLOW, dir_fd=above)
        mode = os.fstat(found).st_mode
        if stat.S_ISLNK(mode):
            try:
                target = os.readlink("", dir_fd=found)
            finally:
                os.close(found)
            self.link = f"{self._where(name)} links to {target}"
            return target
        self.names.append(name)
        self.held.append(found)
        self.file = not stat.S_ISDIR(mode)
        return ""

    def refusal(self, error: OSError) -> RemoteprocError:
        """Say in the user's terms what stopped the walk."""
        at = self._where() if self.file else self._where(self.step)
        firmware = f"firmware {self.path}"
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            if self.link:
                firmware += f": {self.link}"
            if self.file:
                what = f"{firmware}, but {at} is no directory"
            elif self.link:
                what = f"{firmware}, and the image has no {at}"
            else:
                what = f"{firmware} is not in the image" + (at != self.path) * f": it has no {at}"
            return NotFound(what, hint="give the path of a file in the image as the entry point")
        if error.errno == errno.ELOOP:
            return InvalidRequest(
                f"{firmware}: too many symbolic links, or a circle of them: {self.link}",
                hint="mend the links in the image",
            )
        if error.errno == errno.ENAMETOOLONG:
            return InvalidRequest(
                f"firmware {_short(self.path)}: {reason(error)}",
                hint="give it a shorter path in the image",
            )
        return fault(
            f"cannot look up {firmware} at {at}", error, hint="check who may read the image's root"
        )

    def close(self) -> None:
        """Go back to the root, closing what is held."""
        while self.held:
            os.close(self.held.pop())
        self.names.clear()

    def _where(self, name: str = "") -> str:
        return "/" + "/".join([*self.names, name] if name else self.names)


def _short(path: str) -> str:
    return path if len(path) <= 80 else f"{path[:60]}... ({len(path)} characters)"


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
