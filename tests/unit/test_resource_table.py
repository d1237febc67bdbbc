"""Proves that resource tables are read as the kernel reads them, that what it refuses (or what
would crash it) is refused by name, and that people get a readable summary."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.compatibility import check_resources
from domain.errors import FirmwareUnfit
from domain.resource_summary import summarize
from domain.resource_table import (
    ANY_ADDRESS,
    Carveout,
    Devmem,
    Other,
    Trace,
    UnusableTable,
    Vdev,
    Vring,
    parse,
    traces,
)
from tests.elf_builder import carveout, devmem, other, resource_table, trace, vdev

RINGS = ((ANY_ADDRESS, 16, 8), (0x4000, 4096, 256))
EVERYTHING = resource_table(
    carveout(ANY_ADDRESS, 0x8000, "vdev0buffer", physical=0x1000, flags=3),
    devmem(0x4000_0000, 0x1000, "uart", physical=0x5000_0000),
    trace(0x2000_0000, 4096, "log"),
    vdev(*RINGS, features=5, config=b"abc"),
    other(128, b"vendor's"),
    other(600),
    trace(0x2000_2000, 16, "x" * 32),
)


def test_every_kind_of_entry():
    table = parse(EVERYTHING)
    assert table.entries == (
        Carveout(ANY_ADDRESS, 0x1000, 0x8000, 3, "vdev0buffer"),
        Devmem(0x4000_0000, 0x5000_0000, 0x1000, 0, "uart"),
        Trace(0x2000_0000, 4096, "log"),
        Vdev(7, 0, 5, 3, (Vring(ANY_ADDRESS, 16, 8, 0, 0), Vring(0x4000, 4096, 256, 1, 0))),
        Other(128, True),
        Other(600, False),
        Trace(0x2000_2000, 16, "x" * 32),
    )
    assert traces(table) == (table.entries[2], table.entries[6])


def test_a_table_without_entries():
    assert parse(resource_table()).entries == ()


def test_as_many_trace_buffers_as_are_read():
    table = parse(resource_table(*[trace(0, 1 << 16)] * 16))
    assert len(traces(table)) == 16


def test_bytes_after_the_entries_are_ignored():
    assert parse(resource_table(trace(1, 2)) + b"more").entries == (Trace(1, 2, "trace"),)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(15), "a resource table of 15 bytes, less than its header"),
        (resource_table(version=2), "a resource table of version 2, not 1"),
        (resource_table(reserved=1), "a resource table with reserved fields set"),
    ],
)
def test_header_that_kernels_take_for_no_table(data, message):
    with pytest.raises(UnusableTable, match=message):
        parse(data)


def _count(number):
    return struct.pack("<4I", 1, number, 0, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_count(1), "of 16 bytes that claims 1 entries"),
        (_count(0x4000_0000), "claims 1073741824 entries"),
        (_count(2000) + bytes(10000), "claims 2000 entries"),
        (_count(1) + struct.pack("<I", 17), "entry 0: entry ends at 0x15, past the end"),
        (_count(1) + struct.pack("<I", 0x8000_0000), "entry 0: entry ends at 0x80000004"),
        (resource_table(trace(0, 1))[:-1], "entry 0: trace ends at 0x44, past the end"),
        (resource_table(other(9), trace(0, 1)[:40]), "entry 1: trace ends at"),
        (resource_table(trace(0, 1, reserved=1)), "entry 0: trace has reserved fields set"),
        (
            resource_table(trace(0, 0xFFFF_FFFF)),
            "asks for trace buffers of 4294967295",
        ),
        (
            resource_table(*[trace(0, 1 << 16)] * 15, trace(0, (1 << 16) + 1)),
            "asks for trace buffers of 1048577 bytes in all, over 1 MiB",
        ),
        (resource_table(*[trace(0, 1)] * 17), "asks for 17 trace buffers, more than 16"),
        (resource_table(*[trace(0, 1)] * 1024), "asks for 1024 trace buffers, more than 16"),
        (resource_table(carveout(0, 1, "a")[:-1]), "entry 0: carveout ends at"),
        (resource_table(devmem(0, 1, "a")[:-1]), "entry 0: devmem ends at"),
        (resource_table(vdev()[:-1]), "entry 0: vdev ends at"),
        (resource_table(vdev(*RINGS)[:-1]), "entry 0: vdev ends at"),
        (resource_table(vdev(config=b"abc")[:-1]), "entry 0: vdev ends at"),
        (resource_table(vdev(*RINGS, RINGS[0])), "entry 0: vdev has 3 vrings, more than the 2"),
        (resource_table(vdev((0, 16, 0))), "a vring without buffers or alignment"),
        (resource_table(vdev((0, 0, 8))), "a vring without buffers or alignment"),
        (resource_table(carveout(0, 1, "%s%s")), "carveout '%s%s' has a name that could crash"),
        (resource_table(carveout(0, 1, "a" * 32)), "has a name that could crash the kernel"),
    ],
)
def test_refusals(data, message):
    with pytest.raises(FirmwareUnfit) as caught:
        parse(data, "blink.elf")
    assert message in str(caught.value)
    assert str(caught.value).startswith("blink.elf ")
    assert not isinstance(caught.value, UnusableTable)


def test_devmem_takes_an_iommu():
    with pytest.raises(FirmwareUnfit, match="asks for devmem 'uart' at 0x40000000"):
        check_resources(parse(EVERYTHING))
    check_resources(parse(resource_table(trace(0, 1))))


def test_summary():
    assert summarize(parse(EVERYTHING), 0x2000_1000) == (
        "resource table at 0x20001000: 7 entries\n"
        "  carveout  anywhere    32768 bytes  physical 0x00001000  vdev0buffer\n"
        "  devmem    0x40000000  4096 bytes  physical 0x50000000  uart\n"
        "  trace0    0x20000000  4096 bytes  log\n"
        "  vdev      rpmsg, features 0x5, 3 bytes of configuration\n"
        "    vring0  anywhere    8 buffers  align 16\n"
        "    vring1  0x00004000  256 buffers  align 4096\n"
        "  vendor    type 128\n"
        "  unknown   type 600\n"
        f"  trace1    0x20002000  16 bytes  {'x' * 32}\n"
    )


def test_names_cannot_forge_a_summary():
    table = parse(resource_table(trace(0, 1, "a\n  trace9\x1b[2J\xe4")))
    text = summarize(table, 0)
    assert text.count("\n") == 2
    assert text.replace("\n", "").isprintable()


@settings(max_examples=500, deadline=20_000)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(EVERYTHING) - 1),
            st.sampled_from([0, 1, 2, 3, 8, 0x25, 0x7F, 0x80, 0xFF]) | st.integers(0, 255),
        ),
        max_size=8,
    ),
    st.integers(0, len(EVERYTHING)),
)
def test_damage_is_refused_or_read_inside_the_table(changes, end):
    changed = bytearray(EVERYTHING)
    for at, value in changes:
        changed[at] = value
    data = bytes(changed[: end or None])
    try:
        table = parse(data)
    except FirmwareUnfit as error:
        assert "\n" not in str(error)
        return
    assert summarize(table, 0).count("\n") >= 1 + len(table.entries)
    for at in struct.unpack_from(f"<{len(table.entries)}I", data, 16):
        assert at + 4 <= len(data)
    for entry in table.entries:
        assert not isinstance(entry, Carveout) or "%" not in entry.name
        assert not isinstance(entry, Vdev) or entry.config_size <= len(data)
