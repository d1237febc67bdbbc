"""What an image brings: the ELF file, its resource table, and what the firmware then prints."""

from __future__ import annotations

from adapters.sim.spec import CORES
from domain import resource_table as tables
from domain.arm import read_attributes
from domain.compatibility import Region, check_core, check_memory, check_resources
from domain.elf import read_elf
from domain.errors import FirmwareUnfit
from domain.resource_summary import summarize
from domain.trace_buffer import TraceBuffer, TraceBufferReader, kernel_view
from tests.fuzz.kernel_loader import Kernel, handle_resources
from tests.fuzz.target import target

_KINDS = {tables.Carveout: 0, tables.Devmem: 1, tables.Trace: 2, tables.Vdev: 3}
_REGION = Region("flash", 0, 1 << 20)


@target(1 << 16, FirmwareUnfit)
def elf(data: bytes) -> None:
    """A file that is accepted makes no kernel read outside of it."""
    facts = read_elf(data)
    kernel = Kernel(data)
    assert facts.bits == kernel.bits
    assert [tuple(segment) for segment in facts.segments] == kernel.load_segments()
    assert (facts.resource_table or b"") == kernel.find_table()
    assert facts == read_elf(memoryview(data))
    for known in CORES.values():
        try:
            check_core(facts, known.core)
        except FirmwareUnfit:
            pass
    if facts.resource_table is not None:
        resource_table(facts.resource_table)
    check_memory(facts, [_REGION])
    for segment in facts.segments:
        assert not segment.memory_size or segment.physical + segment.memory_size <= _REGION.size


@target(1 << 12)
def arm_attributes(data: bytes) -> None:
    """A damaged section is no error: nothing that loads firmware reads it."""
    found = read_attributes(data)
    if found is not None:
        assert 0 <= found.arch < 1 << 70 and found.profile in ("", "A", "R", "M", "S")
        assert str(found).isprintable()


@target(1 << 13, FirmwareUnfit)
def resource_table(data: bytes) -> None:
    """A table that is accepted makes no kernel read outside of it."""
    table = tables.parse(data)
    assert len(table.entries) <= tables.ENTRIES_LIMIT
    for entry, kind in zip(table.entries, handle_resources(data), strict=True):
        assert _KINDS.get(type(entry), kind) == kind
        if isinstance(entry, tables.Carveout):
            assert "%" not in entry.name
        if isinstance(entry, tables.Vdev):
            assert all(ring.buffers and ring.align for ring in entry.vrings)
    assert [t for t in table.entries if isinstance(t, tables.Trace)] == [*tables.traces(table)]
    lines = summarize(table, 0x2000_0000).split("\n")
    assert all(line.isprintable() for line in lines)
    check_resources(table)


@target(1 << 12)
def trace_buffer(data: bytes) -> None:
    """New text is text of the buffer, once; the window is what stays while nothing is written."""
    buffer, reader = TraceBuffer(), TraceBufferReader()
    contents = data.split(b"\xff")
    reader.follow([lambda *_: content])
    expected = b""
    for memory in contents:
        content = kernel_view(memory)
        new = buffer.update(content)
        assert len(new) <= len(content) and new in content + content
        start, size, unchanged = buffer.window()
        assert content[start : start + size] == unchanged
        assert buffer.update(content) == b""
        assert reader.poll() == bool(new)
        expected += new
    assert reader.take() == expected and not reader.unread


@target(1 << 10)
def trace_ring(data: bytes) -> None:
    """What firmware prints into a ring arrives in order, nothing twice and nothing left out.

    The first byte is the buffer's size, each other one the length of a text, and whether the
    runtime looks after it; the runtime looks before the firmware has gone round once. No byte
    equals the one that it overwrites: text that does can be told from old text later only.
    """
    size = 96 + data[0] if data else 96
    memory, buffer = bytearray(size), TraceBuffer()
    printed = read = b""
    for code in data[1:]:
        for _ in range(code & 31):
            at = len(printed) % size
            memory[at] = (b"\nabcde", b"FGHIJ\r")[len(printed) // size % 2][code % 6]
            printed += memory[at : at + 1]
        if code & 32 or len(printed) - len(read) > size // 3:
            read += buffer.update(kernel_view(bytes(memory)))
            assert read == printed
