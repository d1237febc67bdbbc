"""Reads a firmware's ELF file and refuses a file that could harm the kernel.

The kernel's loader trusts much of the file: with a wrong string table offset, section name or
program header count it reads outside the file and oopses, and the processor's lock is never
released. So this module first checks every offset that the kernel follows. It accepts every file
that the kernel loads without harm, but for files that nobody's linker makes and that would keep
the runtime busy for seconds.

Sources: the gABI; Linux drivers/remoteproc/remoteproc_elf_loader.c (sanity check, load_segments,
find_table), remoteproc_core.c (rproc_da_to_va).
"""

from __future__ import annotations

from struct import Struct

from domain.arm import ArmArchitecture, read_attributes
from domain.errors import FirmwareUnfit
from domain.file_magic import looks_like
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from mmap import mmap
    from typing import NoReturn

EM_ARM = 40
EM_AARCH64 = 183
EM_RISCV = 243

SEGMENT_LIMIT = 1 << 31
"""The largest memory size of a segment, in bytes. The kernel's bounds check adds an offset in a
size_t; with more, that sum wraps on a 32-bit kernel, which then clears memory of its own."""

SEGMENTS_LIMIT = 256
"""The most program headers. The kernel and QEMU work on each, QEMU on each pair of them."""

TABLE_LIMIT = 1 << 20
"""The largest resource table, in bytes."""

_MACHINES = {
    3: "x86", 8: "MIPS", 40: "ARM", 62: "x86-64", 92: "OpenRISC", 94: "Xtensa", 106: "Blackfin",
    140: "TI C6000", 144: "TI PRU", 164: "Hexagon", 183: "AArch64", 189: "MicroBlaze",
    243: "RISC-V",
}  # fmt: skip

_PT_LOAD = 1
_SHT_ARM_ATTRIBUTES = 0x70000003
_TABLE = b".resource_table\0"

# struct elf32_hdr and elf64_hdr. The kernel takes the sizes of headers from these structures.
_HEADER = {32: Struct("<16sHHIIIIIHHHHHH"), 64: Struct("<16sHHIQQQIHHHHHH")}
_PROGRAM = {32: Struct("<8I"), 64: Struct("<2I6Q")}
_SECTION = {32: Struct("<10I"), 64: Struct("<2I4Q2I2Q")}

_REBUILD = "put the ELF file that the linker made into the image"
_DAMAGED = "the file is cut off or damaged: build or copy it again"


class Segment(NamedTuple):
    """A PT_LOAD program header. Firmware is loaded by the physical address; sizes in bytes."""

    physical: int
    offset: int
    file_size: int
    memory_size: int


class ElfFacts(NamedTuple):
    """The contents of an ELF file, as far as the runtime needs them.

    `bits` is 32 or 64, `machine` e_machine. `arm` is from .ARM.attributes, None
    without that section. `resource_table` is the section's content, None where the section is
    missing or empty; `resource_table_address` its sh_addr.
    """

    bits: int
    machine: int
    entry: int
    segments: tuple[Segment, ...]
    arm: ArmArchitecture | None
    resource_table: bytes | None
    resource_table_address: int


def machine_name(machine: int) -> str:
    """Return the common name of an e_machine."""
    return _MACHINES.get(machine, f"ELF machine {machine}")


def read_elf(data: bytes | memoryview | mmap, name: str = "the firmware") -> ElfFacts:
    """Check the whole ELF file and return its contents.

    Messages call the file `name`. Raises FirmwareUnfit where a kernel would refuse the file or
    oops.
    """
    return _ElfReader(data, name).facts()


class _ElfReader:
    __slots__ = ("bits", "data", "name", "size")

    def __init__(self, data: bytes | memoryview | mmap, name: str) -> None:
        self.data = data
        self.name = name
        self.size = len(data)
        self.bits = self._class()

    def facts(self) -> ElfFacts:
        header = _HEADER[self.bits].unpack_from(self.data)
        (_, _, machine, _, entry, phoff, shoff, _, _, _, phnum, _, shnum, shstrndx) = header
        names = self._check_sections(shoff, shnum, shstrndx)
        segments = self._segments(phoff, phnum)
        table, address, attributes = self._sections(shoff, shnum, names)
        arm = read_attributes(attributes) if machine == EM_ARM and attributes else None
        return ElfFacts(self.bits, machine, entry, segments, arm, table, address)

    def _class(self) -> int:
        if self.size == 0:
            self._refuse("is empty", _REBUILD)
        ident = bytes(self.data[:6])
        if ident[:4] != b"\x7fELF":
            seems = looks_like(bytes(self.data[:512]))
            self._refuse(f"is not an ELF file: it looks like {seems}", _REBUILD)
        if self.size < _HEADER[32].size:
            self._refuse(f"is too small for an ELF file: {self.size} bytes", _DAMAGED)
        bits = {1: 32, 2: 64}.get(ident[4])
        if bits is None:
            self._refuse(f"has ELF class {ident[4]}, neither 1 (32-bit) nor 2 (64-bit)", _DAMAGED)
        if self.size < _HEADER[bits].size:
            self._refuse(f"is too small for a 64-bit ELF file: {self.size} bytes", _DAMAGED)
        if ident[5] == 2:
            self._refuse("is big-endian", "remoteproc loads little-endian firmware: build it so")
        if ident[5] != 1:
            self._refuse(f"has ELF data encoding {ident[5]}, not 1 (little-endian)", _DAMAGED)
        return bits

    def _segments(self, offset: int, count: int) -> tuple[Segment, ...]:
        if count == 0:
            self._refuse("has no program headers, so nothing to load", "link it as a program")
        if count > SEGMENTS_LIMIT:
            self._refuse(f"has {count} program headers, more than {SEGMENTS_LIMIT}", _REBUILD)
        layout = _PROGRAM[self.bits]
        self._within(f"its {count} program headers", offset, count * layout.size)
        found = []
        for values in layout.iter_unpack(bytes(self.data[offset : offset + count * layout.size])):
            if values[0] == _PT_LOAD:
                # The 64-bit header has p_flags second, the 32-bit one seventh.
                start, _, physical, stored, size = values[1:6] if self.bits == 32 else values[2:7]
                found.append(self._checked(Segment(physical, start, stored, size)))
        return tuple(found)

    def _checked(self, segment: Segment) -> Segment:
        what = f"its segment at {segment.physical:#x}"
        self._within(what, segment.offset, segment.file_size)
        if segment.file_size > segment.memory_size:
            self._refuse(
                f"stores {segment.file_size:#x} bytes for {what}, "
                f"which has only {segment.memory_size:#x} in memory",
                _DAMAGED,
            )
        if segment.memory_size > SEGMENT_LIMIT:
            self._refuse(f"wants {segment.memory_size:#x} bytes for {what}", "no more than 2 GiB")
        self._addressable(what, segment.physical, segment.memory_size)
        return segment

    def _check_sections(self, offset: int, count: int, names: int) -> int:
        """Return the file offset of the section names, 0 where there are none."""
        layout = _SECTION[self.bits]
        self._within("its section headers", offset, count * layout.size)
        # The kernel reads the header of the name section even where `count` is 0.
        at = offset + names * layout.size
        self._within(f"the header of its name section {names}", at, layout.size)
        if count == 0:
            return 0
        start: int = layout.unpack_from(self.data, at)[4]
        if start >= self.size:
            self._refuse(
                f"has its section names at {start:#x}, but ends at {self.size:#x}", _DAMAGED
            )
        return start

    def _sections(self, offset: int, count: int, names: int) -> tuple[bytes | None, int, bytes]:
        layout = _SECTION[self.bits]
        table: bytes | None = None
        address = 0
        attributes = b""
        found = False
        headers = bytes(self.data[offset : offset + count * layout.size])
        for values in layout.iter_unpack(headers):
            label, kind, _, where, start, size = values[:6]
            if self._is_table(names + label) and not found:
                found = True  # the kernel takes the first of several
                self._within("its resource table", start, size)
                if size > TABLE_LIMIT:
                    self._refuse(f"has a resource table of {size} bytes, over 1 MiB", _REBUILD)
                self._addressable("its resource table", where, size)
                if size:
                    table, address = bytes(self.data[start : start + size]), where
            elif kind == _SHT_ARM_ATTRIBUTES and not attributes:
                attributes = bytes(self.data[start : start + size]) if size < 0x10000 else b""
        return table, address, attributes

    def _is_table(self, at: int) -> bool:
        label = bytes(self.data[at : at + len(_TABLE)])
        # The kernel compares with strcmp, which must find a difference or a NUL inside the file.
        if len(label) < len(_TABLE) and _TABLE.startswith(label):
            self._refuse(
                f"has a section name at {at:#x}, which runs past its end at {self.size:#x}",
                _DAMAGED,
            )
        return label == _TABLE

    def _within(self, what: str, offset: int, size: int) -> None:
        if offset + size > self.size:
            self._refuse(
                f"ends at {self.size:#x}, but {what} would end at {offset + size:#x}", _DAMAGED
            )

    def _addressable(self, what: str, address: int, size: int) -> None:
        if address + size > 1 << self.bits:
            self._refuse(
                f"has {what} with {size:#x} bytes, past the end of the address space", _DAMAGED
            )

    def _refuse(self, what: str, hint: str) -> NoReturn:
        raise FirmwareUnfit(f"{self.name} {what}", hint=hint)
