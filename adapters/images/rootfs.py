"""Opens a file of an image by its path, without entering the image's root.

The path is resolved as a container with this root would resolve it: an absolute symbolic link
starts at the root, and `..` at the root stays there. So no path leads out of the root, whatever
the image contains, and whatever another process changes in the image meanwhile. The result is an
O_PATH descriptor: the file itself is not opened yet, so a FIFO does not block and a device driver
is not called.

The path is walked one component at a time. Each component is opened with O_NOFOLLOW below the
descriptor of its directory. This module reads symbolic links and follows them itself; for `..` it
returns to the descriptor from which it came. So the kernel never follows a link and never goes up:
where a directory was replaced by a link, the walk sees a link; where a directory was moved out of
the root, the walk can only go further down from it.

Where the bundle mounts something over the image's files, the walk goes on in the source of that
mount; below it, too, the kernel never follows a link and never goes up.

openat2(2) with RESOLVE_IN_ROOT promises the same. It is not used because Python 3.11 can call it
by ctypes only, whose import takes longer than the walk; because kernels before 5.6 and the seccomp
filters of some engines do not have it; and because it does not say at which component it failed,
which the error message must.
"""

from __future__ import annotations

import errno
import os
import stat

from adapters.images.mount_table import EMPTY, MountTable
from domain.errors import (
    NO_SUCH_FILE,
    InvalidRequest,
    NotFound,
    RemoteprocError,
    host_fault,
    reason,
)
from domain.text import visible

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.mounts import BundleMount

_LINKS_MAX = 40  # MAXSYMLINKS of the kernel
_PATH_MAX = 4095
_DEPTH_MAX = 256  # directories held open at once by the walk

_AT = os.O_PATH | os.O_CLOEXEC


def open_in_root(root: int, path: str, mounts: Sequence[BundleMount] = ()) -> int:
    """Return an O_PATH descriptor of `path` below the directory that `root` is a descriptor of.

    `mounts` lie over the files there. `path` must have no NUL. Raises NotFound, InvalidRequest (too
    long a name, too many links, a mount on no path), Unsupported or HostFault.
    """
    walk = _Walk(root, path, _lay(root, mounts))
    try:
        return walk.run()
    except OSError as error:
        raise walk.refusal(error) from error
    finally:
        walk.close()


def _lay(root: int, mounts: Sequence[BundleMount]) -> MountTable:
    """Return the table of the mounts, each on the path that it has when its turn comes."""
    table = MountTable()
    for mount in mounts:
        walk = _Walk(root, mount.destination, table, making=True)
        try:
            os.close(walk.run())
            if not walk.names:
                raise _error(errno.EBUSY)
            table.add(walk.where(), mount)
        except OSError as error:
            what = f"cannot mount {mount.source or mount.kind} on {_short(mount.destination)}"
            raise InvalidRequest(f"{what}: {reason(error)}") from error
        finally:
            walk.close()
    return table


def walk_in_root(root: int, path: str) -> int:
    """Return what `open_in_root` does. Raises OSError."""
    walk = _Walk(root, path, MountTable())
    try:
        return walk.run()
    finally:
        walk.close()


class _Walk:
    """One walk from the root down to a file.

    `names` and `held` are the components between the root and the place that the walk has reached,
    by name and by descriptor. `..` returns to a held descriptor: the kernel's `..` would lead out
    of the root if the directory had been moved out meanwhile. With `making` the walk takes
    directories that are missing for empty ones, as if it made them.
    """

    __slots__ = (
        "at_file",
        "component",
        "held",
        "link",
        "making",
        "mounts",
        "names",
        "path",
        "pending",
        "root",
    )

    def __init__(self, root: int, path: str, mounts: MountTable, *, making: bool = False) -> None:
        self.root = root
        self.path = path
        self.mounts = mounts
        self.making = making
        self.pending = path.split("/")[::-1]
        self.names: list[str] = []
        self.held: list[int] = []
        self.at_file = False  # whether the last held descriptor is that of no directory
        self.link = ""  # the last link that was followed, for error messages
        self.component = ""  # the one being resolved

    def run(self) -> int:
        """Walk to the end of the path; return a descriptor of the file there. Raises OSError."""
        if len(os.fsencode(self.path)) > _PATH_MAX:
            raise _error(errno.ENAMETOOLONG)
        links = 0
        while self.pending:
            self.component = self.pending.pop()
            if self.at_file:
                raise _error(errno.ENOTDIR)
            if self.component in ("", "."):
                continue
            if self.component == "..":
                if self.held:
                    self.names.pop()
                    _close(self.held.pop())
                continue
            target = self._enter(self.component)
            if target:
                links += 1
                if links > _LINKS_MAX:
                    raise _error(errno.ELOOP)
                self.pending.extend(target.split("/")[::-1])
                if target.startswith("/"):
                    self.close()
        at = self.held[-1] if self.held else self.root
        # The caller asks only what kind of file is there: the root is a directory, too.
        return os.dup(at if at != EMPTY else self.root)

    def _open(self, name: str) -> int:
        """Return a descriptor of a file of the current directory, or EMPTY."""
        where, above = self.where(name), self.held[-1] if self.held else self.root
        mounted = self.mounts.open(where, reading=not self.making)
        if mounted is not None:
            return mounted
        try:
            if above == EMPTY:
                raise _error(errno.ENOENT)
            return os.open(name, _AT | os.O_NOFOLLOW, dir_fd=above)
        except FileNotFoundError:
            if self.making or self.mounts.leads_to_mount(where):
                return EMPTY
            raise

    def _enter(self, name: str) -> str:
        """Go down to a file of the current directory; of a link return the target instead."""
        if len(self.held) >= _DEPTH_MAX:
            raise _error(errno.ENAMETOOLONG)
        found = self._open(name)
        mode = os.fstat(found).st_mode if found != EMPTY else stat.S_IFDIR
        if stat.S_ISLNK(mode):
            try:
                target = os.readlink("", dir_fd=found)
            finally:
                os.close(found)
            self.link = f"{visible(self.where(name))} links to {visible(target)}"
            return target
        self.names.append(name)
        self.held.append(found)
        self.at_file = not stat.S_ISDIR(mode)
        return ""

    def refusal(self, error: OSError) -> RemoteprocError:
        """Return the error for the user; it names the component that could not be resolved."""
        place = self.where() if self.at_file else self.where(self.component)
        at, firmware = visible(place), f"firmware {visible(self.path)}"
        mount = self.mounts.covering(place)
        image = "the image"
        if mount:
            image = f"{mount.source or mount.kind} (mounted on {mount.destination})"
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            if self.link:
                firmware += f": {self.link}"
            if self.at_file:
                what = f"{firmware}, but {at} is not a directory"
            elif self.link:
                what = f"{firmware}, and {image} has no {at}"
            else:
                what = f"{firmware} is not in {image}" + (place != self.path) * f": it has no {at}"
            if error.errno == errno.ENOENT:
                what += f": {NO_SUCH_FILE}"
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
        """Close all held descriptors: the walk is at the root again."""
        while self.held:
            _close(self.held.pop())
        self.names.clear()

    def where(self, name: str = "") -> str:
        """Return the path that the walk has reached, or that of a file in this directory."""
        return "/" + "/".join([*self.names, name] if name else self.names)


def _short(path: str) -> str:
    return path if len(path) <= 80 else f"{path[:60]}... ({len(path)} characters)"


def _close(descriptor: int) -> None:
    if descriptor != EMPTY:
        os.close(descriptor)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
