"""A model of the kernel's ELF loader, in which a read outside of the file is an error.

It does what drivers/remoteproc/remoteproc_elf_loader.c does with a file that has passed that
file's sanity check: load_segments and find_table, with strcmp on the section names; and what
rproc_handle_resources of remoteproc_core.c does with the table.
"""

from __future__ import annotations

import struct

_PT_LOAD = 1


_RESOURCES = {0: 52, 1: 52, 2: 44}  # bytes of a carveout, a devmem and a trace after their type


def handle_resources(table: bytes) -> list[int]:
    """Return the types of the entries, in their order."""
    kinds = []
    (count,) = struct.unpack_from("<I", table, 4)
    for index in range(count):
        (offset,) = struct.unpack_from("<i", table, 16 + 4 * index)
        assert offset >= 0, "the kernel reads before the table"
        (kind,) = struct.unpack_from("<I", table, offset)
        size = _RESOURCES.get(kind, 0)
        if kind == 3:
            (config,) = struct.unpack_from("<I", table, offset + 20)
            size = 24 + 20 * table[offset + 25] + config
        assert offset + 4 + size <= len(table), f"the kernel reads entry {index} past the end"
        kinds.append(kind)
    return kinds


class Kernel:
    """A kernel that has got the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.bits = {1: 32, 2: 64}[self._u8(4)]

    def load_segments(self) -> list[tuple[int, int, int, int]]:
        """Return address, offset, file size and memory size of what is loaded."""
        wide = self.bits == 64
        start = self._word(32 if wide else 28)
        count = self._u16(56 if wide else 44)
        loaded = []
        for at in range(start, start + count * (56 if wide else 32), 56 if wide else 32):
            if self._u32(at) != _PT_LOAD:
                continue
            names = (8, 24, 32, 40) if wide else (4, 12, 16, 20)
            offset, physical, stored, size = (self._word(at + name) for name in names)
            assert stored <= size
            self._read(offset, stored)
            loaded.append((physical, offset, stored, size))
        return loaded

    def find_table(self) -> bytes:
        """Return the resource table's bytes, none where there is no table."""
        wide = self.bits == 64
        headers = self._word(40 if wide else 32)
        count, names = self._u16(60 if wide else 48), self._u16(62 if wide else 50)
        each = 64 if wide else 40
        # The kernel reads this header whatever the number of sections is.
        texts = self._word(headers + names * each + (24 if wide else 16))
        for at in range(headers, headers + count * each, each):
            if not self._is(texts + self._u32(at), b".resource_table\0"):
                continue
            offset = self._word(at + (24 if wide else 16))
            size = self._word(at + (32 if wide else 20))
            return self._read(offset, size)
        return b""

    def _is(self, at: int, name: bytes) -> bool:
        """Compare as strcmp does: up to the first difference."""
        return all(self._u8(at + index) == byte for index, byte in enumerate(name))

    def _word(self, at: int) -> int:
        return self._number("<Q" if self.bits == 64 else "<I", at)

    def _u32(self, at: int) -> int:
        return self._number("<I", at)

    def _u16(self, at: int) -> int:
        return self._number("<H", at)

    def _u8(self, at: int) -> int:
        return self._number("<B", at)

    def _number(self, layout: str, at: int) -> int:
        (number,) = struct.unpack(layout, self._read(at, struct.calcsize(layout)))
        return int(number)

    def _read(self, at: int, size: int) -> bytes:
        assert at + size <= len(self._data), f"the kernel reads {size} bytes at {at:#x}"
        return self._data[at : at + size]
