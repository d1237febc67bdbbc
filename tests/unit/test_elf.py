"""Proves that read_elf reports what is in an ELF file, refuses what a kernel refuses or would
oops on, in one sentence, accepts what kernels accept, and survives any damage quickly."""

from __future__ import annotations

import mmap
import struct
import subprocess
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.arm import ArmArchitecture, read_attributes
from domain.compatibility import Core, Region, check_core, check_memory
from domain.elf import EM_ARM, EM_RISCV, SEGMENTS_LIMIT, Segment, machine_name, read_elf
from domain.errors import FirmwareUnfit
from tests.elf_builder import (
    FLASH,
    VECTORS,
    Load,
    Section,
    arm_attributes,
    elf,
    resource_table,
    trace,
)

TABLE = resource_table(trace(0x2000_0100, 256))
FULL: dict[str, Any] = {"table": TABLE, "attributes": arm_attributes(13, "M", "cortex-m4")}


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("wrap", [bytes, memoryview, "mmap"])
def test_facts(bits, wrap):
    data = elf(
        [FLASH, Load(0x2000_0000, b"data", 64, virtual=0x1000), Load(0x5, b"note", type=4)],
        bits=bits,
        entry=0x41,
        **FULL,
    )
    if wrap == "mmap":
        view = mmap.mmap(-1, len(data))
        view.write(data)
    else:
        view = wrap(data)
    facts = read_elf(view)
    assert (facts.bits, facts.machine, facts.entry) == (bits, EM_ARM, 0x41)
    flash, ram = facts.segments
    assert flash == Segment(0, flash.offset, 64, 64)
    assert data[flash.offset : flash.offset + 8] == VECTORS
    assert ram == Segment(0x2000_0000, ram.offset, 4, 64)
    assert data[ram.offset : ram.offset + 4] == b"data"
    assert facts.arm == ArmArchitecture(13, "M")
    assert facts.resource_table == TABLE
    assert type(facts.resource_table) is bytes
    assert facts.resource_table_address == 0x2000_0000


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize(
    "options",
    [
        {"machine": 0},
        {"machine": 0xFFFF},
        {"type": 3},
        {"type": 1},
        {"segments": [Load(0, b"x", type=6)]},
        {"segments": [Load(0, b"", 0)]},
        {"segments": [Load(0xFFFF_F000, b"", 0x1000)]},
        {"entry": 0xDEAD_BEEE},
        {"section_headers": False},
        {"patch": {"e_phentsize": 1}},
        {"patch": {"e_shentsize": 1}},
        {"patch": {"e_version": 9}},
        {"table": b"\xff" * 8},
        {"attributes": b"A\xff\xff\xff\xff"},
    ],
    ids=str,
)
def test_kernels_accept_it(bits, options):
    assert read_elf(elf(**{"bits": bits, **options})).bits == bits


def test_no_loadable_segment_is_a_fact():
    assert read_elf(elf([Load(0, b"x", type=6)])).segments == ()


def test_empty_table_is_no_table():
    facts = read_elf(elf(table=b""))
    assert (facts.resource_table, facts.resource_table_address) == (None, 0)


def test_the_first_of_two_tables_counts():
    data = elf(sections=[Section(".resource_table", b"one", 1), Section(".resource_table", b"two")])
    assert read_elf(data).resource_table == b"one"


GOOD = elf(**FULL)
GOOD64 = elf(bits=64, **FULL)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the firmware is empty"),
        (b":10000000002000200900", "is not an ELF file: it looks like Intel HEX"),
        (b"S00F000068656C6C6F", "looks like Motorola S-records"),
        (b"hello, world\n", "looks like text"),
        (b"#!/bin/sh\n", "looks like a script"),
        (VECTORS * 8, "looks like a raw binary that begins with a Cortex-M vector table"),
        (b"\x00\x01\x02\xff" * 9, "looks like a raw binary"),
        (bytes(64), "looks like nothing but zeros"),
        (b"\x68\xa4\x43\x35" + GOOD, "looks like firmware signed for OP-TEE"),
        (b"\x27\x05\x19\x56" + GOOD, "looks like a U-Boot image"),
        (b"\xd0\x0d\xfe\xed" + GOOD, "looks like a flattened image tree"),
        (b"\x1f\x8b\x08", "looks like a gzip file"),
        (b"\x7fELF", "is too small for an ELF file: 4 bytes"),
        (GOOD[:51], "is too small for an ELF file: 51 bytes"),
        (GOOD64[:63], "is too small for a 64-bit ELF file: 63 bytes"),
        (b"\x7fELF\0" + GOOD[5:], "has ELF class 0, neither 1 (32-bit) nor 2 (64-bit)"),
        (b"\x7fELF\3" + GOOD[5:], "has ELF class 3"),
        (b"\x7fELF\1\2" + GOOD[6:], "is big-endian"),
        (b"\x7fELF\1\0" + GOOD[6:], "has ELF data encoding 0"),
        (GOOD[:-1], f"ends at {len(GOOD) - 1:#x}, but its section headers would end at"),
        (elf([]), "has no program headers"),
        (elf([], patch={"e_phnum": 256}), "but its 256 program headers would end at"),
        (elf([FLASH] * 257), "has 257 program headers, more than 256"),
        (elf(patch={"e_phnum": 0xFFFF}), "has 65535 program headers, more than 256"),
        (elf(table=bytes((1 << 20) + 1)), "has a resource table of 1048577 bytes, over 1 MiB"),
        (elf(patch={"e_phoff": 0xFFFF_FFFF}), "but its 1 program headers would end at"),
        (elf(patch={"e_shnum": 0xFFFF}), "but its section headers would end at"),
        (elf(patch={"e_shoff": 0xFFFF_FFF0}), "but its section headers would end at"),
        (elf(patch={"e_shoff": 0xFFFF_FFF0, "e_shnum": 0}), "but its section headers would end at"),
        (elf(bits=64, patch={"e_shoff": (1 << 64) - 8}), "its section headers would end at"),
        (elf(patch={"e_shstrndx": 0xFFFF}), "but the header of its name section 65535 would"),
        (elf(patch={"e_shnum": 0, "e_shstrndx": 9999}), "the header of its name section 9999"),
        (elf([Load(0x100, b"abcd", 3)]), "stores 0x4 bytes for its segment at 0x100"),
        (elf([Load(0x100, b"", file_size=0x10000)]), "but its segment at 0x100 would end at"),
        (elf([Load(0x100, b"", 0x8000_0001)]), "wants 0x80000001 bytes for its segment at 0x100"),
        (elf([Load(0xFFFF_F000, b"", 0x1001)]), "past the end of the address space"),
        (elf([Load((1 << 64) - 16, b"", 32)], bits=64), "past the end of the address space"),
        (elf(table=TABLE, table_address=0xFFFF_FFF0), "past the end of the address space"),
    ],
)  # fmt: skip
def test_refusals(data, message):
    with pytest.raises(FirmwareUnfit) as caught:
        read_elf(data, "blink.elf")
    text = str(caught.value)
    assert message.removeprefix("the firmware") in text
    assert text.startswith("blink.elf ")
    assert caught.value.hint
    assert "\n" not in text


def _patch_section(data, index, field, value):
    """Overwrite the word `field` of a section header of an ELF32 file."""
    (shoff,) = struct.unpack_from("<I", data, 32)
    changed = bytearray(data)
    struct.pack_into("<I", changed, shoff + 40 * index + 4 * field, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("index", "field", "value", "message"),
    [
        (3, 4, 0x7FFF_FFFF, "has its section names at 0x7fffffff"),
        (1, 0, 0xFFFF_FFF0, "has a section name at 0x1000"),
        (1, 4, 0x10000, "but its resource table would end at"),
        (1, 5, 0x10000, "but its resource table would end at"),
    ],
)
def test_wild_sections(index, field, value, message):
    with pytest.raises(FirmwareUnfit, match=message):
        read_elf(_patch_section(GOOD, index, field, value))


def test_section_name_that_runs_out_of_the_file():
    data = GOOD + b".resource_tab"
    (start,) = struct.unpack_from("<I", data, struct.unpack_from("<I", data, 32)[0] + 3 * 40 + 16)
    with pytest.raises(FirmwareUnfit, match="runs past its end"):
        read_elf(_patch_section(data, 2, 0, len(GOOD) - start))


@pytest.mark.parametrize(
    ("cpu", "arch", "profile"),
    [
        ("cortex-m0", 12, "M"),
        ("cortex-m3", 10, "M"),
        ("cortex-m4", 13, "M"),
        ("cortex-m33", 17, "M"),
        ("armv8.1-m.main", 21, "M"),
        ("cortex-r5", 10, "R"),
        ("cortex-r52", 15, "R"),
        ("cortex-a7", 10, "A"),
    ],
)
def test_what_the_assembler_writes(tmp_path, cpu, arch, profile):
    source, built = tmp_path / "a.s", tmp_path / "a.o"
    choice = f".arch {cpu}" if cpu.startswith("arm") else f".cpu {cpu}"
    source.write_text(f".syntax unified\n{choice}\n.thumb\nnop\n")
    subprocess.run(["arm-none-eabi-as", "-o", built, source], check=True)
    linked = tmp_path / "a.elf"
    subprocess.run(
        ["arm-none-eabi-ld", "-n", "-e", "0", "-Ttext", "0x100", "-o", linked, built], check=True
    )
    facts = read_elf(linked.read_bytes())
    assert facts.arm == ArmArchitecture(arch, profile)
    assert [s.physical for s in facts.segments] == [0x100]


@pytest.mark.parametrize(
    "section",
    [b"", b"B", b"A", b"A\x04\0\0\0", b"A\xff\0\0\0aeabi\0", b"A\x10\0\0\0gnu\0" + bytes(8)],
)
def test_attributes_that_do_not_say(section):
    assert read_attributes(section) is None


@given(st.binary(max_size=64).map(lambda b: b"A\x40\0\0\0aeabi\0\x01\x40\0\0\0" + b))
def test_damaged_attributes_are_survived(section):
    found = read_attributes(section)
    assert found is None or str(found)


M0, M3, M4, M33 = (ArmArchitecture(a, "M") for a in (12, 10, 13, 17))
R5, A7, R52 = ArmArchitecture(10, "R"), ArmArchitecture(10, "A"), ArmArchitecture(15, "R")


@pytest.mark.parametrize(
    ("code", "cores"),
    [
        (M0, [M0, M3, M4, M33]),
        (M3, [M3, M4, M33]),
        (M4, [M4, M33]),
        (M33, [M33]),
        (R5, [R5, R52]),
        (A7, [A7]),
        (R52, [R52]),
        (ArmArchitecture(10, "S"), [R5, A7, R52]),
    ],
    ids=str,
)
def test_which_core_runs_what(code, cores):
    everything = [M0, M3, M4, M33, R5, A7, R52]
    assert [core for core in everything if code.runs_on(core)] == cores


M3_CORE = Core("cortex-m3", 32, EM_ARM, M3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"machine": EM_RISCV}, "blink.elf is 32-bit RISC-V code, but cortex-m3 executes 32-bit"),
        ({"bits": 64}, "blink.elf is 64-bit ARM code, but cortex-m3 executes 32-bit ARM code"),
        ({"machine": 999}, "blink.elf is 32-bit ELF machine 999 code"),
        ({"attributes": arm_attributes(13, "M")}, "Arm v7E-M, but cortex-m3 is Arm v7-M"),
        ({"attributes": arm_attributes(10, "R")}, "Arm v7-R, but cortex-m3 is Arm v7-M"),
    ],
)
def test_core_does_not_fit(options, message):
    with pytest.raises(FirmwareUnfit, match=message):
        check_core(read_elf(elf(**options)), M3_CORE, "blink.elf")


def test_core_fits():
    check_core(read_elf(elf()), M3_CORE)
    check_core(read_elf(elf(attributes=arm_attributes(12, "M"))), M3_CORE)
    check_core(read_elf(elf(attributes=arm_attributes(17, "M"))), M3_CORE._replace(arm=None))
    assert machine_name(EM_RISCV) == "RISC-V"


REGIONS = [Region("flash", 0, 0x400), Region("ram", 0x400, 0x100)]


@pytest.mark.parametrize(
    ("address", "size", "fits"),
    [
        (0, 0x400, True),
        (0x3FF, 1, True),
        (0x400, 0x100, True),
        (0x9999, 0, True),
        (0, 0x401, False),
        (0x3FF, 2, False),
        (0x500, 1, False),
    ],
)
def test_memory(address, size, fits):
    facts = read_elf(elf([Load(address, b"", size)]))
    if fits:
        check_memory(facts, REGIONS)
        return
    with pytest.raises(FirmwareUnfit) as caught:
        check_memory(facts, REGIONS, "blink.elf")
    assert str(caught.value).startswith(
        f"blink.elf has a segment at {address:#x}-{address + size:#x}, which is not inside "
        "the processor's memory: flash 0x0-0x400, ram 0x400-0x500; "
    )


def kernel_reads(data):
    """Read what rproc_elf_load_segments and find_table read, their checks left out.

    Any read outside the file is an AssertionError: there the kernel would oops.
    """
    wide = data[4] == 2

    def field(at, layout):
        assert at >= 0
        assert at + struct.calcsize(layout) <= len(data)
        return struct.unpack_from(layout, data, at)

    def strcmp(at, text):
        return all(field(at + i, "<B")[0] == byte for i, byte in enumerate(text))

    phoff, shoff = field(32, "<QQ") if wide else field(28, "<II")
    phnum, _, shnum, shstrndx = field(56 if wide else 44, "<4H")
    for i in range(phnum):
        if wide:
            kind, _, offset, _, physical, stored, size, _ = field(phoff + 56 * i, "<IIQQQQQQ")
        else:
            kind, offset, _, physical, stored, size, _, _ = field(phoff + 32 * i, "<8I")
        if kind == 1:
            assert offset + stored <= len(data)
            assert stored <= size <= 1 << 31
            assert physical + size <= (1 << 64 if wide else 1 << 32)
    shsize, layout = (64, "<IIQQQQIIQQ") if wide else (40, "<10I")
    names = field(shoff + shstrndx * shsize, layout)[4]
    for i in range(shnum):
        label, _, _, _, offset, size, *_ = field(shoff + i * shsize, layout)
        if strcmp(names + label, b".resource_table\0"):
            assert offset + size <= len(data)
            return


INTERESTING = st.sampled_from([0, 1, 2, 0x34, 0x7F, 0xFF, 0x100, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF])


@st.composite
def mutated(draw):
    data = bytearray(draw(st.sampled_from([GOOD, GOOD64, elf(section_headers=False)])))
    # Header fields, then the section headers at the end, are where damage hurts.
    places = st.integers(0, 110) | st.integers(len(data) - 260, len(data) - 1)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(places | st.integers(0, len(data) - 1)) % len(data)
        if draw(st.booleans()):
            data[at] = draw(st.integers(0, 255))
        else:
            data[at : at + 4] = struct.pack("<I", draw(INTERESTING | st.integers(0, len(data))))
    if draw(st.integers(0, 9)) == 0:
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@settings(max_examples=1500, deadline=20_000)
@given(mutated())
def test_damage_is_refused_or_harmless_to_a_kernel(data):
    try:
        read_elf(data)
    except FirmwareUnfit as error:
        assert "\n" not in str(error)
        assert error.hint
    else:
        kernel_reads(data)


@settings(max_examples=300, deadline=20_000)
@given(st.binary(max_size=300).map(lambda b: b"\x7fELF" + b) | st.binary(max_size=64))
def test_any_bytes_are_survived(data):
    try:
        read_elf(data)
    except FirmwareUnfit:
        return
    kernel_reads(data)


def test_largest_headers_take_bounded_time():
    start = 52 + 32  # where the segment's content begins
    big = elf(
        [Load(0, bytes(40 * 0x10000))],
        patch={"e_shnum": 0xFFFE, "e_shoff": start, "e_phnum": 256, "e_phoff": start},
        section_headers=False,
    )
    begun = time.process_time()
    assert read_elf(big).segments == ()
    assert time.process_time() - begun < 3


def test_as_many_segments_as_are_taken():
    count = SEGMENTS_LIMIT
    segments = read_elf(elf([Load(i, b"", 1) for i in range(count)])).segments
    assert [s.physical for s in segments] == list(range(count))
