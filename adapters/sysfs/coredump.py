"""Saves what the kernel keeps of a crashed processor, and lets the kernel forget it.

Source: Linux drivers/base/devcoredump.c: a dump lives for five minutes, or until its `data` is
written to. `failing_device` links to the processor, in some drivers to the device around it.
"""

from __future__ import annotations

import os
import time

from adapters.linux.files import write_all
from domain.errors import reason

_CHUNK = 1 << 20


class Coredumps:
    """The dumps of one processor. `root` without slash at its end; `directory` keeps them."""

    __slots__ = ("_class", "_directory", "_processor")

    def __init__(self, root: str, processor: str, directory: str) -> None:
        self._class = f"{root}/sys/class/devcoredump"
        self._processor = processor
        self._directory = directory

    def save(self, container: str) -> list[str]:
        """Save all dumps there are; return a remark for each: its path, or what went wrong."""
        try:
            names = sorted(os.listdir(self._class))
        except OSError:
            return []  # nothing has ever crashed, or a kernel without dumps
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
