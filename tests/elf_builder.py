"""Builds small ELF files and resource tables for tests, right ones and wrong ones."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

EM_ARM, EM_RISCV = 40, 243


class Load(NamedTuple):
    """A segment: its content, where it goes, and its size in memory if larger."""

    address: int
    data: bytes = b""
    memory_size: int | None = None
    virtual: int | None = None
    type: int = 1
    file_size: int | None = None


class Section(NamedTuple):
    name: str
    data: bytes
    address: int = 0
    type: int = 1


VECTORS = struct.pack("<II", 0x2000_1000, 0x9)
FLASH = Load(0x0, VECTORS + bytes(56))


def elf(
    segments: Sequence[Load] = (FLASH,),
    *,
    bits: int = 32,
    machine: int = EM_ARM,
    type: int = 2,
    entry: int = 0x9,
    table: bytes | None = None,
    table_address: int = 0x2000_0000,
    attributes: bytes | None = None,
    sections: Sequence[Section] = (),
    section_headers: bool = True,
    patch: Mapping[str, int] | None = None,
) -> bytes:
    """Build a little-endian ELF file; `patch` overwrites header fields by name (`e_phnum`)."""
    wanted = list(sections)
    if table is not None:
        wanted.append(Section(".resource_table", table, table_address))
    if attributes is not None:
        wanted.append(Section(".ARM.attributes", attributes, 0, 0x7000_0003))
    body = bytearray(64 if bits == 64 else 52)
    phoff = len(body)
    body += bytes(len(segments) * (56 if bits == 64 else 32))
    for i, load in enumerate(segments):
        header = _program_header(bits, load, len(body))
        body[phoff + i * len(header) : phoff + (i + 1) * len(header)] = header
        body += load.data
    shoff = shnum = shstrndx = 0
    if section_headers:
        shoff, shnum = _add_sections(body, bits, wanted)
        shstrndx = shnum - 1
    fields = {
        "e_type": type, "e_machine": machine, "e_version": 1, "e_entry": entry, "e_phoff": phoff,
        "e_shoff": shoff, "e_flags": 0, "e_ehsize": 64 if bits == 64 else 52,
        "e_phentsize": 56 if bits == 64 else 32, "e_phnum": len(segments),
        "e_shentsize": 64 if bits == 64 else 40, "e_shnum": shnum, "e_shstrndx": shstrndx,
    }  # fmt: skip
    unknown = set(patch or {}) - set(fields)
    assert not unknown, unknown
    fields.update(patch or {})
    ident = b"\x7fELF" + bytes((2 if bits == 64 else 1, 1, 1)) + bytes(9)
    layout = "<HHIQQQIHHHHHH" if bits == 64 else "<HHIIIIIHHHHHH"
    body[: 64 if bits == 64 else 52] = ident + struct.pack(layout, *fields.values())
    return bytes(body)


def _program_header(bits: int, load: Load, offset: int) -> bytes:
    stored = len(load.data) if load.file_size is None else load.file_size
    size = stored if load.memory_size is None else load.memory_size
    virtual = load.address if load.virtual is None else load.virtual
    if bits == 64:
        return struct.pack(
            "<IIQQQQQQ", load.type, 5, offset, virtual, load.address, stored, size, 4
        )
    return struct.pack("<IIIIIIII", load.type, offset, virtual, load.address, stored, size, 5, 4)


def _add_sections(body: bytearray, bits: int, sections: Sequence[Section]) -> tuple[int, int]:
    """Append contents, names and headers; return where the headers are and how many."""
    names = b"\0"
    rows = [(0, 0, 0, 0, 0)]
    for section in sections:
        rows.append((len(names), section.type, section.address, len(body), len(section.data)))
        names += section.name.encode() + b"\0"
        body += section.data
    rows.append((len(names), 3, 0, len(body), len(names) + len(b".shstrtab\0")))
    body += names + b".shstrtab\0"
    body += bytes(-len(body) % 8)
    shoff = len(body)
    layout = "<IIQQQQIIQQ" if bits == 64 else "<IIIIIIIIII"
    for name, kind, address, offset, size in rows:
        body += struct.pack(layout, name, kind, 0, address, offset, size, 0, 0, 1, 0)
    return shoff, len(rows)


def arm_attributes(arch: int, profile: str = "", cpu: str = "") -> bytes:
    """Build an .ARM.attributes section as GNU as writes it."""
    tags = b""
    if cpu:
        tags += b"\x05" + cpu.encode() + b"\0"
    tags += bytes((6, arch))
    if profile:
        tags += bytes((7, ord(profile)))
    scope = b"\x01" + struct.pack("<I", len(tags) + 5) + tags
    vendor = b"aeabi\0" + scope
    return b"A" + struct.pack("<I", len(vendor) + 4) + vendor


def resource_table(*entries: bytes, version: int = 1, reserved: int = 0) -> bytes:
    """Build a table of entries that `carveout`, `trace`, ... made."""
    at = 16 + 4 * len(entries)
    offsets = []
    for entry in entries:
        offsets.append(at)
        at += len(entry)
    head = struct.pack("<4I", version, len(entries), reserved, 0)
    return head + struct.pack(f"<{len(offsets)}I", *offsets) + b"".join(entries)


def carveout(
    address: int, size: int, name: str, *, physical: int = 0, flags: int = 0, type: int = 0
) -> bytes:
    return struct.pack("<6I32s", type, address, physical, size, flags, 0, name.encode())


def devmem(address: int, size: int, name: str, *, physical: int = 0) -> bytes:
    return carveout(address, size, name, physical=physical, type=1)


def trace(address: int, size: int, name: str = "trace", *, reserved: int = 0) -> bytes:
    return struct.pack("<4I32s", 2, address, size, reserved, name.encode())


def vdev(
    *vrings: tuple[int, int, int], id: int = 7, features: int = 1, config: bytes = b""
) -> bytes:
    """Build a virtio device; a vring is address, alignment, number of buffers."""
    head = struct.pack("<6I4B", 3, id, 0, features, 0, len(config), 0, len(vrings), 0, 0)
    rings = (struct.pack("<5I", a, align, n, i, 0) for i, (a, align, n) in enumerate(vrings))
    return head + b"".join(rings) + config


def other(type: int, data: bytes = b"") -> bytes:
    return struct.pack("<I", type) + data
