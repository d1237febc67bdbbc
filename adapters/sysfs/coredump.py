"""Saves the core dumps of a crashed processor piece by piece, and lets the kernel free them.

The supervisor has one loop, which must hear signals meanwhile: so a dump is copied in pieces.
Dumps must not fill a disk: each has a largest size, some space stays free, and of all dumps in a
directory the newest are kept. Memory of zeros takes no space in the file.

Source: Linux drivers/base/devcoredump.c: the kernel frees a dump after five minutes, or when a
program writes to its `data`. `failing_device` links to the processor, with some drivers to the
processor's parent device.
"""

from __future__ import annotations

import os
import stat
import time

from adapters.linux.directories import private_directory
from adapters.linux.locks import flock_or_fail
from adapters.linux.view import Place
from domain.errors import RemoteprocError, reason

KEPT = 8
"""Dumps in one directory; the oldest are deleted."""

SIZE_MAX = 1 << 30
"""Bytes of one dump."""

FREE_KEPT = 256 << 20
"""Bytes that stay free on the file system, or a tenth of it if that is less."""

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 22  # bytes that one step copies: some milliseconds
_BLOCK = 1 << 16  # bytes; a block of zeros becomes a hole
_ZEROS = bytes(_BLOCK)
_PARTIAL = ".core~"
_SAVED = ".core"


class Coredumps:
    """The dumps of one processor. `root` has no slash at its end; dumps go to `directory`."""

    __slots__ = (
        *("_class", "_copies", "_devices", "_directory", "_failing", "_found", "_processor"),
    )

    def __init__(self, root: str, processor: str, directory: str) -> None:
        self._class = f"{root}/sys/class/devcoredump"
        self._devices = f"{root}/sys/devices/virtual"
        self._processor = processor
        self._failing: tuple[str, ...] = ()
        self._directory = directory
        self._copies: list[_Copy] = []
        self._found: list[str] = []  # remarks

    def later_places(self) -> Iterator[Place]:
        """Yield what `begin` and `step` use, which finds the processor's links no more."""
        self._failing = self._links()
        try:
            private_directory(self._directory)
        except RemoteprocError:
            pass  # `begin` says so
        # The kernel makes and removes the directory of dumps with the dumps.
        yield Place(self._class)
        yield Place(self._devices, writable=True)
        yield Place(self._directory, writable=True)

    def _links(self) -> tuple[str, ...]:
        return os.path.realpath(self._processor), os.path.realpath(f"{self._processor}/device")

    @property
    def busy(self) -> bool:
        """Whether there is something to copy."""
        return bool(self._copies)

    def begin(self, container: str) -> None:
        """Find the dumps, and open them. `step` copies them."""
        try:
            names = sorted(os.listdir(self._class))
        except OSError:
            return  # no processor has crashed yet, or the kernel has no core dumps
        for name in filter(self._ours, names):
            try:
                private_directory(self._directory)
                _sweep(self._directory)
                source = f"{self._class}/{name}/data"
                self._copies.append(_Copy(source, self._directory, f"{container}-{{}}-{name}"))
            except OSError as error:
                where = f"{self._directory}/{container}-{name}"
                self._found.append(f"cannot save the core dump to {where}: {reason(error)}")
            except RemoteprocError as error:
                self._found.append(f"cannot save a core dump: {error}")

    def step(self) -> None:
        """Copy a piece."""
        if self._copies and (remark := self._copies[0].step()):
            self._found.append(remark)
            self._copies.pop(0)

    def remarks(self) -> list[str]:
        """Return what became of the dumps since the last call: its path, or why there is none."""
        found, self._found = self._found, []
        return found

    def abort(self) -> None:
        """Copy nothing more. What is not complete is removed."""
        copies, self._copies = self._copies, []
        for copy in copies:
            copy.close()
            self._found.append(f"the core dump was not saved: stopped after {copy.size} bytes")

    def _ours(self, name: str) -> bool:
        failing = f"{self._class}/{name}/failing_device"
        ours = self._failing or self._links()
        return os.path.lexists(failing) and os.path.realpath(failing) in ours


class _Copy:
    """One dump that is being copied. The {} in `name` is for the time. Raises OSError."""

    def __init__(self, source: str, directory: str, name: str) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._path = f"{directory}/{name.format(stamp)}{_SAVED}"
        self._partial = f"{directory}/{os.urandom(8).hex()}{_PARTIAL}"
        self._target = -1
        self.size = 0
        self._source = os.open(source, os.O_RDWR | os.O_CLOEXEC)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._target = os.open(self._partial, flags, 0o600)
            flock_or_fail(self._target)  # so others do not take it for one of a dead process
        except BaseException:
            self.close()
            raise

    def step(self) -> str:
        """Copy a piece; return a remark if there is nothing more to do."""
        try:
            end = self.size + _PIECE
            while self.size < end:
                if not (block := os.read(self._source, _BLOCK)):
                    return self._complete()
                if self.size + len(block) > SIZE_MAX:
                    return self._give_up(f"it has more than {SIZE_MAX >> 20} MiB")
                if block != _ZEROS[: len(block)]:
                    if _free(self._target) < len(block):
                        return self._give_up("no more than the space to be kept free is left")
                    _write_at(self._target, block, self.size)
                self.size += len(block)
        except OSError as error:
            return self._give_up(reason(error))
        return ""

    def _complete(self) -> str:
        os.ftruncate(self._target, self.size)  # it may end with a hole
        os.rename(self._partial, self._path)
        os.pwrite(self._source, b"1", 0)
        size = self.size
        self._close()
        _keep_newest(os.path.dirname(self._path))
        return f"core dump of {size} bytes saved to {self._path}"

    def _give_up(self, why: str) -> str:
        self.close()
        return f"cannot save the core dump to {self._path}: {why}"

    def close(self) -> None:
        """Remove what was copied. Repeatable."""
        if self._target >= 0:
            try:
                os.unlink(self._partial)
            except OSError:
                pass  # the next sweep removes it
        self._close()

    def _close(self) -> None:
        for descriptor in (self._source, self._target):
            if descriptor >= 0:
                os.close(descriptor)
        self._source = self._target = -1


def _write_at(target: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(target, data, at)
        data, at = data[written:], at + written


def _free(target: int) -> int:
    """Return how many bytes may still be written there."""
    found = os.fstatvfs(target)
    kept = min(FREE_KEPT, found.f_blocks * found.f_frsize // 10)
    return found.f_bavail * found.f_frsize - kept


def _sweep(directory: str) -> None:
    """Remove what processes that were killed have left incomplete."""
    for name in os.listdir(directory):
        if name.endswith(_PARTIAL):
            path = f"{directory}/{name}"
            try:
                partial = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                flock_or_fail(partial)
                os.unlink(path)
            except OSError:
                pass  # a living process copies it
            finally:
                os.close(partial)


def _keep_newest(directory: str) -> None:
    """Delete the oldest dumps beyond KEPT."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.name.endswith(_SAVED) and stat.S_ISREG(status.st_mode):
                    found.append((status.st_mtime_ns, entry.path))
        for _, path in sorted(found)[:-KEPT]:
            os.unlink(path)
    except OSError:
        pass  # the next dump tries again
