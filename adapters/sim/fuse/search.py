"""Finds firmware files as the kernel does.

Source: Linux 6.1 drivers/base/firmware_loader/main.c (_request_firmware,
fw_get_filesystem_firmware), fs/kernel_read_file.c.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from errno import EFBIG, EINTR, EINVAL, ENAMETOOLONG, ENOENT, ENOMEM, ENOSPC

from adapters.sim.loader import to_memfd

_PATH_MAX = 4096
_LONGEST_PATH = 255  # bytes of firmware_class.path
_LARGEST = 1 << 28  # bytes that are read; the kernel's limit is INT_MAX


class FirmwareSearch:
    """The kernel's search path under `root`, the root directory of the simulated kernel."""

    def __init__(self, root: str) -> None:
        self._root = os.fsencode(root)
        self._path = b""

    def show(self) -> bytes:
        """Return the content of /sys/module/firmware_class/parameters/path."""
        return self._path + b"\n"

    def store(self, data: bytes) -> None:
        """Set firmware_class.path as Linux 6.1 does: a newline at its end becomes a part of it."""
        text = data.partition(b"\0")[0]
        if len(text) > _LONGEST_PATH:
            raise OSError(ENOSPC, "firmware_class.path has 255 bytes at most")
        if data:
            self._path = text

    def find(self, name: str, abandoned: Callable[[], bool] = lambda: False) -> int:
        """Return a copy of a firmware file, open. Raises OSError, that of the last directory.

        A FIFO is waited for until it has a writer or `abandoned` returns True.
        """
        wanted = os.fsencode(name)
        if b".." in wanted.split(b"/"):
            raise OSError(EINVAL, f"the name {name!r} leads out of the firmware directories")
        try:
            return to_memfd([self._search(wanted, abandoned)])
        except OSError as error:
            if error.errno != ENOENT:
                raise
        try:
            packed = self._search(wanted + b".xz", abandoned)
        except OSError as error:
            raise OSError(error.errno, f"firmware {name!r}: {error.strerror}") from error
        return to_memfd([_unpack(packed)])

    def _search(self, name: bytes, abandoned: Callable[[], bool]) -> bytes:
        problem = OSError(ENOENT, os.strerror(ENOENT))
        for directory in self._directories():
            path = directory + b"/" + name
            if len(path) >= _PATH_MAX:
                raise OSError(ENAMETOOLONG, os.strerror(ENAMETOOLONG))
            try:
                return _read(self._root + b"/" + path, abandoned)
            except OSError as error:
                problem = error
        raise problem

    def _directories(self) -> list[bytes]:
        base, release = b"/lib/firmware", os.fsencode(os.uname().release)
        fixed = [base + tail for tail in (b"/updates/" + release, b"/updates", b"/" + release, b"")]
        # A relative path starts at the root too (kernel_read_file_from_path_initns).
        return [self._path, *fixed] if self._path else fixed


def _read(path: bytes, abandoned: Callable[[], bool]) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if stat.S_ISFIFO(status.st_mode):
            _wait_for_writer(fd, abandoned)
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            raise OSError(EINVAL, "is empty, or not a file")
        if status.st_size >= 1 << 31:
            raise OSError(EFBIG, os.strerror(EFBIG))
        if status.st_size > _LARGEST:
            raise OSError(ENOMEM, os.strerror(ENOMEM))
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(status.st_size)
    finally:
        os.close(fd)


def _wait_for_writer(fifo: int, abandoned: Callable[[], bool]) -> None:
    """Wait for a writer, as a blocking open(2) of a FIFO does."""
    poll = select.poll()
    poll.register(fifo, select.POLLIN)
    while not poll.poll(50):
        if abandoned():
            raise OSError(EINTR, "interrupted")


def _unpack(packed: bytes) -> bytes:
    from lzma import LZMADecompressor, LZMAError

    try:
        unpacker = LZMADecompressor(memlimit=_LARGEST)
        data = unpacker.decompress(packed, _LARGEST)
    except LZMAError as error:
        raise OSError(EINVAL, f"compressed firmware: {error}") from error
    if not unpacker.eof:
        raise OSError(EINVAL, "compressed firmware is cut off, or huge")
    return data
