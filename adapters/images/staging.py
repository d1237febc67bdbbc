"""Copies firmware out of images: one regular file, to a private place.

An image is not trusted: its links may point anywhere, the file may be a FIFO, a device or endless,
or another process may replace it at any moment. So the path is resolved to a descriptor once, and
the file is checked and read through that descriptor. Later steps use the copy and its digest only.
The bundle's mounts come from the caller, and their sources are followed wherever they lead on the
host; the files below a source are trusted no more than the image's.
"""

from __future__ import annotations

import errno
import os
import stat

from adapters.images.digest import sha256
from adapters.images.rootfs import open_in_root
from adapters.linux.files import write_all
from domain.errors import HostFault, InvalidRequest, NotFound, RemoteprocError, host_fault, reason
from domain.firmware import SIZE_LIMIT, FirmwareImage
from domain.text import visible

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.mounts import BundleMount, ImageFiles

_CHUNK = 1 << 18
_COPIES = 4  # of the largest firmware, in one state root
_STORAGE = "check the image's storage"


class FirmwareStaging:
    """Implements domain.ports.FirmwareSource. `limit` is the largest size allowed, in bytes.

    The copies are in the state root, which is memory on most machines, and which no container's
    control group pays for: all together have at most four times the limit.
    """

    __slots__ = ("_limit",)

    def __init__(self, limit: int = SIZE_LIMIT) -> None:
        self._limit = limit

    def stage(self, files: ImageFiles, name: str, destination: str) -> FirmwareImage:
        """Copy the file `name` of the image to `destination`, mode 0600.

        No search path is tried. On an error nothing is left at `destination`. Raises the errors
        that FirmwareSource names.
        """
        path = _path_in_image(files.cwd, name)
        try:
            size, digest = self._stage(files, path, name, destination)
        except OSError as error:  # of a stale or broken filesystem; others are handled below
            raise host_fault(
                f"cannot copy firmware {visible(path)}", error, hint=_STORAGE
            ) from error
        return FirmwareImage(name, size, digest, destination)

    def verify(self, files: ImageFiles, firmware: FirmwareImage, keys: Sequence[str]) -> None:
        from adapters.images import signature

        path = _path_in_image(files.cwd, firmware.name) + signature.SUFFIX
        try:
            source = self._open(files, path)
        except NotFound as error:
            raise signature.missing(firmware.name) from error
        except InvalidRequest as error:
            raise signature.unusable(firmware.name, error.message) from error
        try:
            found = os.read(source, signature.LONGEST + 1)
        except OSError as error:
            raise host_fault(f"cannot read signature {path}", error, hint=_STORAGE) from error
        finally:
            os.close(source)
        signature.check_signature(firmware, found, keys)

    def _stage(self, files: ImageFiles, path: str, name: str, destination: str) -> tuple[int, str]:
        source = self._open(files, path, name)
        try:
            self._check_room(os.fstat(source).st_size, path, destination)
            found = self._copy(source, path, destination)
        finally:
            os.close(source)
        return self._join(files, path, destination) if path.endswith(".mdt") else found

    def _join(self, files: ImageFiles, path: str, destination: str) -> tuple[int, str]:
        """Add the parts beside an `.mdt` file to the copy of it."""
        from adapters.images.split_image import join

        def open_part(suffix: str, end: int) -> int:
            if end > self._limit:
                raise self._too_large(path, end)
            self._check_room(end, path, destination)
            return self._open(files, path.removesuffix(".mdt") + suffix)

        try:
            return join(destination, open_part)
        except BaseException:
            os.unlink(destination)
            raise

    def _open(self, files: ImageFiles, path: str, name: str = "") -> int:
        """Return a descriptor of a regular file of the image, which people call `name`."""
        root = _open_root(files.rootfs)
        try:
            found = open_in_root(root, path, files.mounts)
        except NotFound as error:
            if meant := _near_miss(root, path, files.mounts):
                meant = meant.removeprefix("/") if path == f"/{name}" else meant
                error.hint = f"did you mean {visible(meant)}?"
            raise
        finally:
            os.close(root)
        try:
            return self._open_regular(found, path)
        finally:
            os.close(found)

    def _check_room(self, size: int, path: str, destination: str) -> None:
        """Raise HostFault if the containers of the state root would hold too much firmware."""
        directory, name = os.path.split(destination)
        root = os.path.dirname(directory)
        held, total = _held(root, name), _COPIES * self._limit
        if held + size > total:
            raise HostFault(
                f"cannot copy firmware {visible(path)} of {size} bytes: the containers in {root} "
                f"hold {held}, and at most {total} are allowed",
                errno=errno.ENOSPC,
                hint="delete containers that have ended",
            )

    def _open_regular(self, found: int, path: str) -> int:
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidRequest(
                f"firmware {visible(path)} is {_kind(status.st_mode)}, not a regular file",
                hint="give the path of the firmware's ELF file as the entry point",
            )
        if status.st_size == 0:
            raise InvalidRequest(f"firmware {visible(path)} is empty", hint="build the image again")
        if status.st_size > self._limit:
            raise self._too_large(path, status.st_size)
        try:
            # By descriptor: so it is the file that was checked, whatever its name means now.
            return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise host_fault(
                f"cannot open firmware {visible(path)}",
                error,
                hint="check who may read the file in the image",
            ) from error

    def _copy(self, source: int, path: str, destination: str) -> tuple[int, str]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            target = os.open(destination, flags, 0o600)
        except OSError as error:
            raise _cannot_write(destination, error) from error
        try:
            try:
                return self._transfer(source, path, target, destination)
            finally:
                os.close(target)
        except BaseException:
            try:
                os.unlink(destination)
            except OSError:
                pass  # the caller gets the first error
            raise

    def _transfer(self, source: int, path: str, target: int, destination: str) -> tuple[int, str]:
        digest = sha256(os.fstat(source).st_size)
        size = 0
        while chunk := _read(source, path):
            size += len(chunk)
            if size > self._limit:  # another process writes to the file
                raise self._too_large(path, size)
            digest.update(chunk)
            _write(target, chunk, destination)
        if size == 0:
            raise InvalidRequest(f"firmware {visible(path)} was emptied while it was copied")
        return size, f"sha256:{digest.hexdigest()}"

    def _too_large(self, path: str, size: int) -> InvalidRequest:
        return InvalidRequest(
            f"firmware {visible(path)} has {size} bytes or more, over the limit of {self._limit}",
            hint="strip it of debug sections, or raise `size-limit` in the configuration",
        )


def _held(root: str, name: str) -> int:
    """Return how many bytes of firmware are in the directories of the root. Raises OSError."""
    held = 0
    for directory in os.listdir(root):
        try:
            held += os.stat(f"{root}/{directory}/{name}", follow_symlinks=False).st_size
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            pass  # no container's directory
    return held


def _path_in_image(cwd: str, name: str) -> str:
    """Return the entry point as a path from the root.

    `..` stays in the path, since the component before it may be a link. Raises InvalidRequest.
    """
    if not name:
        raise InvalidRequest("no entry point", hint="name the firmware file in the image")
    path = name if name.startswith("/") else f"{cwd.rstrip('/')}/{name}"
    if not path.startswith("/"):
        path = f"/{path}"
    if "\0" in path:
        raise InvalidRequest(f"the entry point {name!r} has a NUL byte", hint="correct its name")
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"the entry point {name!r} cannot be a file name", hint="correct its name"
        ) from error
    depth = 0
    for part in path.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            raise InvalidRequest(
                f"the entry point {name} climbs out of the image's root (from {cwd or '/'})",
                hint="give a path inside the image",
            )
    return path


def _near_miss(root: int, path: str, mounts: Sequence[BundleMount]) -> str:
    from adapters.images.near_miss import near_miss

    try:
        if meant := near_miss(root, path):
            os.close(open_in_root(root, meant, mounts))
    except RemoteprocError:
        return ""  # a mount hides the file
    return meant


def _open_root(rootfs: str) -> int:
    try:
        return os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except ValueError as error:
        raise InvalidRequest(f"the root filesystem's path {rootfs!r} is no file name") from error
    except OSError as error:
        what = f"cannot open the root filesystem {rootfs}"
        hint = "check root.path in config.json"
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NotFound(f"{what}: {reason(error)}", hint=hint) from error
        raise host_fault(what, error, hint) from error


def _read(source: int, path: str) -> bytes:
    try:
        return os.read(source, _CHUNK)
    except OSError as error:
        raise host_fault(f"cannot read firmware {visible(path)}", error, hint=_STORAGE) from error


def _write(target: int, data: bytes, destination: str) -> None:
    try:
        write_all(target, data)
    except OSError as error:
        raise _cannot_write(destination, error) from error


def _cannot_write(destination: str, error: OSError) -> HostFault:
    hint = "make room there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return host_fault(
        f"cannot copy firmware to {destination}",
        error,
        hint=hint or "check the directory and who may write there",
    )


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISBLK, "a block device"),
    )
    return next((word for is_kind, word in kinds if is_kind(mode)), "something else")
