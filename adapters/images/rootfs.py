"""Opens a path inside an image's root as a container would see it, without entering the root.

Symbolic links, absolute ones too, and `..` stay inside the root, whatever the image does
meanwhile. What is returned is an O_PATH descriptor: nothing has been opened for reading yet, so
a FIFO does not block and a device does not notice.

The path is walked one component at a time, each taken with O_NOFOLLOW from the descriptor of the
directory before; links are read and followed by hand, and `..` goes back to the descriptor that
the walk came from. So no lookup of the kernel's ever crosses a link or goes up: a directory that
is swapped for a link is seen to be one, and one that is moved away still leads down only. That
is what openat2(2) with RESOLVE_IN_ROOT promises, too, but Python 3.11 reaches that by ctypes
alone, whose import takes longer than the walk; kernels before 5.6 and engines' seccomp filters
lack it; and it does not say where a path ended, as an error for people must.
"""

from __future__ import annotations

import errno
import os
import stat

from domain.errors import InvalidRequest, NotFound, RemoteprocError, host_fault, reason

_LINKS_MAX = 40  # MAXSYMLINKS of the kernel
_PATH_MAX = 4095
_DEPTH_MAX = 256  # directories held open at once by the walk

_AT = os.O_PATH | os.O_CLOEXEC


def open_in_root(root: int, path: str) -> int:
    """Return an O_PATH descriptor of `path`, which is taken from the root, a descriptor.

    No NUL may be in `path`. Raises NotFound, InvalidRequest (too long a name, too many links) or
    HostFault.
    """
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
        return host_fault(
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
