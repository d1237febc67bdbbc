"""Saves the core dumps of a crashed processor, and lets the kernel free them.

Source: Linux drivers/base/devcoredump.c: the kernel frees a dump after five minutes, or when a
program writes to its `data`. `failing_device` links to the processor, with some drivers to the
processor's parent device.
"""

from __future__ import annotations

import os
import time

from adapters.linux.files import write_all
from domain.errors import reason

_CHUNK = 1 << 20


class Coredumps:
    """The dumps of one processor. `root` has no slash at its end; dumps go to `directory`."""

    __slots__ = ("_class", "_directory", "_processor")

    def __init__(self, root: str, processor: str, directory: str) -> None:
        self._class = f"{root}/sys/class/devcoredump"
        self._processor = processor
        self._directory = directory

    def save(self, container: str) -> list[str]:
        """Save all dumps; return a remark about each: its path, or why it could not be saved."""
        try:
            names = sorted(os.listdir(self._class))
        except OSError:
            return []  # no processor has crashed yet, or the kernel has no core dumps
        return [self._save(name, container) for name in names if self._ours(name)]

    def _ours(self, name: str) -> bool:
        failing = f"{self._class}/{name}/failing_device"
        ours = (os.path.realpath(self._processor), os.path.realpath(f"{self._processor}/device"))
        return os.path.lexists(failing) and os.path.realpath(failing) in ours

    def _save(self, name: str, container: str) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = f"{self._directory}/{container}-{stamp}-{name}.core"
        try:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            source = os.open(f"{self._class}/{name}/data", os.O_RDWR | os.O_CLOEXEC)
            try:
                size = _copy(source, path)
                os.pwrite(source, b"1", 0)
            finally:
                os.close(source)
        except OSError as error:
            return f"cannot save the core dump to {path}: {reason(error)}"
        return f"core dump of {size} bytes saved to {path}"


def _copy(source: int, path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    partial = f"{path}~"
    target = os.open(partial, flags, 0o600)
    size = 0
    try:
        while chunk := os.read(source, _CHUNK):
            size += len(chunk)
            write_all(target, chunk)
        os.rename(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
    finally:
        os.close(target)
    return size
