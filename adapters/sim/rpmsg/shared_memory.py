"""The memory of a simulated processor, which this process and QEMU map alike.

The firmware may change any byte at any time: each value is read once, and then checked.
"""

from __future__ import annotations

import fcntl
import os
from mmap import mmap

_ADD_SEALS, _SEAL_SEAL, _SEAL_SHRINK, _SEAL_GROW = 1033, 1, 2, 4  # include/uapi/linux/fcntl.h


class SharedMemory:
    """All `ram` of the description that generic-machine.so takes, in one file, in its order."""

    def __init__(self, description: str) -> None:
        """Raises OSError."""
        self._parts: list[tuple[int, int, int]] = []  # address, size, offset in the file
        aliases: list[tuple[int, int, int]] = []
        total = 0
        for item in description.split(";"):
            word, *numbers = item.split()
            if word == "ram":
                address, size, other = (int(number, 16) for number in numbers)
                if address != other:
                    aliases.append((address, size, other))
                    continue
                self._parts.append((address, size, total))
                total += size
        self._parts += [(at, size, self.offset(other, size)) for at, size, other in aliases]
        self.fd = os.memfd_create("memory", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.fd, total)
            # A file that QEMU made shorter would kill this process when it reads.
            fcntl.fcntl(self.fd, _ADD_SEALS, _SEAL_SHRINK | _SEAL_GROW | _SEAL_SEAL)
            self._map = mmap(self.fd, total)
        except BaseException:
            os.close(self.fd)
            raise
        self.bytes = memoryview(self._map)
        self.halves = self.bytes.cast("H")
        """The same in units of two bytes, each read or written at once."""

    def offset(self, address: int, size: int) -> int:
        """Return where this memory of the processor is in the file; -1 if it has no such memory."""
        for start, length, offset in self._parts:
            if start <= address and address + size <= start + length:
                return offset + address - start
        return -1

    def close(self) -> None:
        """Unmap and close the file. Repeatable."""
        if self.fd >= 0:
            self.halves.release()
            self.bytes.release()
            self._map.close()
            os.close(self.fd)
            self.fd = -1
