"""The messages with which the kernel refuses firmware, in the kernel's words and order.

Only what the kernel itself checks: it loads firmware for another core, unless the core's driver
checks that, without a message.
Source: Linux 6.1 drivers/remoteproc/remoteproc_elf_loader.c (rproc_elf_sanity_check,
rproc_elf_load_segments), remoteproc_core.c (rproc_fw_boot, rproc_handle_resources).
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from domain import resource_table
from domain.compatibility import Region
from domain.elf import read_elf
from domain.errors import FirmwareUnfit
from domain.resource_table import BUFFER, CARVEOUT, DEVICE, MEMORY, TRACE, VDEV, VRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from adapters.sim.loader import Content

_HEADER = {1: Struct("<16sHHIIIIIHHHHHH"), 2: Struct("<16sHHIQQQIHHHHHH")}  # by ELF class
_PROGRAM = {1: Struct("<8I"), 2: Struct("<2I6Q")}
_SECTION_SIZE = {1: 40, 2: 64}
_PT_LOAD = 1


def sanity_error(data: Content) -> str:
    """Return the message of rproc_elf_sanity_check, before `Booting fw image`; `` for none."""
    if len(data) < _HEADER[1].size:
        return "Image is too small"
    if data[:4] != b"\x7fELF":
        return "Image is corrupted (bad magic)"
    kind = data[4]
    if kind not in _HEADER:
        return f"Unsupported class: {kind}"
    if len(data) < _HEADER[kind].size:
        return "elf64 header is too small"
    if data[5] != 1:
        return "Unsupported firmware endianness"
    programs, sections, count = _header_offsets(data)
    if len(data) < sections + _SECTION_SIZE[kind]:
        return "Image is too small"
    if count == 0:
        return "No loadable segments"
    return "Firmware size is too small" if programs > len(data) else ""


def load_errors(data: Content, memory: Sequence[Region]) -> list[str]:
    """Return the messages after `Booting fw image`; none if the kernel would load the file.

    Without `memory`, any address is taken.
    """
    table = b""
    try:
        table = read_elf(data).resource_table or b""
        entries = resource_table.parse(table).entries
    except resource_table.UnusableTable:
        entries = ()
    except FirmwareUnfit:
        entries = ()
        if words := _table_error(table):
            return [words, "Failed to process resources: -22"]
    for entry in entries:
        if isinstance(entry, resource_table.Devmem):
            return ["Failed to process resources: -22"]
    total = sum(region.size for region in memory)
    for entry in entries:
        if memory and isinstance(entry, resource_table.Carveout) and entry.size > total:
            return [
                f"Unable to allocate carveout {entry.name}: -12",
                "Failed to allocate associated carveouts: -12",
            ]
    words = _segment_error(data, memory)
    return [words, "Failed to load program segments: -22"] if words else []


def _header_offsets(data: Content) -> tuple[int, int, int]:
    """Return the offset of the program headers, of the section headers, and the former's count."""
    fields = _HEADER[data[4]].unpack_from(data)
    return fields[5], fields[6], fields[10]


def _segment_error(data: Content, memory: Sequence[Region]) -> str:
    """Return the message of rproc_elf_load_segments about the first bad segment; `` for none."""
    layout = _PROGRAM[data[4]]
    offset, _, count = _header_offsets(data)
    for at in range(offset, offset + count * layout.size, layout.size):
        if at + layout.size > len(data):
            break  # the kernel reads on there, after the end of the file
        fields = layout.unpack_from(data, at)
        start, _, address, stored, size = fields[1:6] if data[4] == 1 else fields[2:7]
        if fields[0] != _PT_LOAD:
            continue
        if stored > size:
            return f"bad phdr filesz {stored:#x} memsz {size:#x}"
        if start + stored > len(data):
            return f"truncated fw: need {start + stored:#x} avail {len(data):#x}"
        if size and memory and not any(region.holds(address, size) for region in memory):
            return f"bad phdr da {address:#x} mem {size:#x}"
    return ""


def _table_error(table: bytes) -> str:
    """Return the message of rproc_handle_resources about the first bad entry; `` for none."""
    count = int.from_bytes(table[4:8], "little")
    for number in range(min(count, (len(table) - 16) // 4, resource_table.ENTRIES_LIMIT)):
        at = int.from_bytes(table[16 + 4 * number : 20 + 4 * number], "little")
        if at + 4 > len(table):
            return "rsc table is truncated"
        kind = int.from_bytes(table[at : at + 4], "little")
        check = {CARVEOUT: _carveout_error, TRACE: _trace_error, VDEV: _vdev_error}.get(kind)
        if words := check(table[at + 4 :]) if check else "":
            return words
    return ""


def _carveout_error(rest: bytes) -> str:
    if len(rest) < MEMORY.size:
        return "carveout rsc is truncated"
    return "carveout rsc has non zero reserved bytes" if MEMORY.unpack_from(rest)[4] else ""


def _trace_error(rest: bytes) -> str:
    if len(rest) < BUFFER.size:
        return "trace rsc is truncated"
    return "trace rsc has non zero reserved bytes" if BUFFER.unpack_from(rest)[2] else ""


def _vdev_error(rest: bytes) -> str:
    if len(rest) < DEVICE.size:
        return "vdev rsc is truncated"
    *_, config, _, count, first, second = DEVICE.unpack_from(rest)
    if DEVICE.size + count * VRING.size + config > len(rest):
        return "vdev rsc is truncated"
    if first or second:
        return "vdev rsc has non zero reserved bytes"
    if count > 2:
        return f"too many vrings: {count}"
    for number in range(count):
        _, align, buffers, *_ = VRING.unpack_from(rest, DEVICE.size + number * VRING.size)
        if not (align and buffers):
            return f"invalid qsz ({buffers}) or alignment ({align})"
    return ""
