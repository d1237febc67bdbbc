"""Publishes firmware files where the kernel finds them: complete when visible, never changed.

All files are in the subdirectory `remoteproc-runtime`, which only this runtime writes. A file name
begins with the processor's device, and a device has one owner at a time. So the owner of a
processor that is off may replace and remove all files of that device, and no others.
"""

from __future__ import annotations

import errno
import os
import stat

from adapters.images.digest import check_copy, sha256
from adapters.linux.files import write_all
from adapters.sysfs.search_path import FirmwareDirectory, SearchPath
from domain.container import ID_CHARACTERS
from domain.errors import HostFault, host_fault, reason
from domain.firmware import FirmwareImage
from domain.processor import is_device

DIRECTORY = "remoteproc-runtime"

_DIGITS_SHOWN = 16  # of the digest
_HEXADECIMAL = frozenset("0123456789abcdef")
_ID_SHOWN = 120  # characters; a name has 255 bytes, and the kernel appends .zst to try that
_CHUNK = 1 << 18
_HINTS = {
    errno.EACCES: "run as root, or let this user write there",
    errno.ENOSPC: "make room there",
    errno.EROFS: "mount it writable, or set firmware_class.path to a writable directory",
    errno.EDQUOT: "raise the disk quota",
}
_NOT_OURS = (0, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES)


def kernel_name(
    parent: FirmwareDirectory, device: str, container: str, firmware: FirmwareImage
) -> str:
    """Return the name by which the kernel finds the file."""
    digest = firmware.digest.removeprefix("sha256:")[:_DIGITS_SHOWN]
    # The id is for people: device and digest make the name unique.
    return f"{parent.prefix}{DIRECTORY}/{device}-{container[:_ID_SHOWN]}-{digest}"


def is_published_name(name: str, device: str) -> bool:
    """Whether `kernel_name` gives such names to the files of this device."""
    head, _, file_name = name.rpartition("/")
    return _device_of(file_name) == device and f"/{head}".endswith(f"/{DIRECTORY}")


def _device_of(file_name: str) -> str:
    """Return the device whose published file has this name; `` if it is no name of ours."""
    rest, _, digest = file_name.rpartition("-")
    device, _, container = rest.partition("-")
    ours = (
        is_device(device)
        and container != ""
        and ID_CHARACTERS.issuperset(container)
        and len(digest) == _DIGITS_SHOWN
        and _HEXADECIMAL.issuperset(digest)
    )
    return device if ours else ""


def publish(parent: FirmwareDirectory, name: str, device: str, firmware: FirmwareImage) -> int:
    """Publish a complete copy, written to disk. The caller owns the device, which is off.

    Files that dead owners of the device have left are removed. Returns a descriptor of the
    directory, by which `unpublish` needs no other.

    Raises FirmwareUnfit if the staged copy has changed since its digest was taken, HostFault.
    """
    file_name = name.rpartition("/")[2]
    directory = _open_directory(parent.path, create=True)
    try:
        _remove_all(directory, device)
        _copy(firmware, directory, f".{file_name}")
        os.rename(f".{file_name}", file_name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    except BaseException as error:
        # What cannot be removed now is removed by the owner's claim, or by the next owner.
        try:
            _remove_all(directory, device)
        except OSError:
            pass
        os.close(directory)
        if isinstance(error, OSError):
            raise _fault(f"cannot publish firmware in {parent.path}/{DIRECTORY}", error) from error
        raise
    return directory


def unpublish(search: SearchPath, name: str, device: str, opened: int = -1) -> None:
    """Remove the file published by this name, if the name is one for the device.

    `opened` is the directory as `publish` returned it; without it, all are searched. The directory
    stays: another process may be publishing a file for another device there. Raises HostFault.
    """
    if not is_published_name(name, device):
        return
    file_name = name.rpartition("/")[2]
    if opened >= 0:
        _remove_published(opened, file_name)
        return
    for parent in search.candidates():
        try:
            directory = _open_directory(parent.path, create=False)
        except HostFault as error:
            if error.errno not in _NOT_OURS:
                raise
            continue  # no published file can be in a directory that is not ours
        try:
            _remove_published(directory, file_name)
        finally:
            os.close(directory)


def _remove_published(directory: int, file_name: str) -> None:
    try:
        _remove(directory, file_name)
        _remove(directory, f".{file_name}")
    except OSError as error:
        raise _fault(f"cannot remove firmware {file_name}", error) from error


def _remove(directory: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass


def _open_directory(parent: str, *, create: bool) -> int:
    path = f"{parent}/{DIRECTORY}"
    try:
        if create:
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                pass
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        what = "is a symbolic link" if os.path.islink(path) else reason(error)
        hint = "remove it" if os.path.islink(path) else _HINTS.get(error.errno or 0, "")
        raise HostFault(
            f"cannot use firmware directory {path}: {what}", errno=error.errno or 0, hint=hint
        ) from error
    status = os.fstat(directory)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        os.close(directory)
        raise HostFault(
            f"firmware directory {path} can be written by others", hint="remove it, with care"
        )
    return directory


def _remove_all(directory: int, device: str) -> None:
    for name in os.listdir(directory):
        if _device_of(name.removeprefix(".")) == device:
            _remove(directory, name)


def _copy(firmware: FirmwareImage, directory: int, name: str) -> None:
    digest = sha256(firmware.size)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    source = os.open(firmware.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        target = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            while chunk := os.read(source, _CHUNK):
                digest.update(chunk)
                write_all(target, chunk)
            os.fsync(target)
        finally:
            os.close(target)
    finally:
        os.close(source)
    check_copy(firmware, digest)


def _fault(what: str, error: OSError) -> HostFault:
    return host_fault(what, error, _HINTS.get(error.errno or 0, ""))
