"""debugfs' `resource_table` and `carveout_memories`, as Linux 6.1 prints them."""

import random
import struct

from adapters.sim.board_file import load_board
from adapters.sim.fuse.resource_files import carveouts_text, table_text
from adapters.sim.loader import NO_RESOURCES, Resources, check_firmware
from tests.elf_builder import Load, carveout, devmem, elf, other, resource_table, trace, vdev

RINGS = ((0xFFFFFFFF, 16, 16), (0xFFFFFFFF, 16, 16))
TABLE = resource_table(
    carveout(0x20000000, 0x1000, "heap", physical=0x90000000, flags=3),
    devmem(0x40000000, 0x100, "regs"),
    vdev(*RINGS),
    other(128, bytes(8)),
    other(0x80000001, bytes(8)),
)


def test_each_kind_of_entry():
    assert table_text(b"") == b"No resource table found\n"
    assert table_text(TABLE).decode() == (
        "Entry 0 is of type carveout\n  Device Address 0x20000000\n"
        "  Physical Address 0x90000000\n  Length 0x1000 Bytes\n  Flags 0x3\n"
        "  Reserved (should be zero) [0]\n  Name heap\n\n"
        "Entry 1 is of type devmem\n  Device Address 0x40000000\n  Physical Address 0x0\n"
        "  Length 0x100 Bytes\n  Flags 0x0\n  Reserved (should be zero) [0]\n  Name regs\n\n"
        "Entry 2 is of type vdev\n  ID 7\n  Notify ID 0\n  Device features 0x1\n"
        "  Guest features 0x0\n  Config length 0x0\n  Status 0x0\n  Number of vrings 2\n"
        "  Reserved (should be zero) [0][0]\n\n"
        "  Vring 0\n    Device Address 0xffffffff\n    Alignment 16\n    Number of buffers 16\n"
        "    Notify ID 0\n    Physical Address 0x0\n\n"
        "  Vring 1\n    Device Address 0xffffffff\n    Alignment 16\n    Number of buffers 16\n"
        "    Notify ID 1\n    Physical Address 0x0\n\n"
        "Unknown resource type found: 128 [hdr: 0000000000000000]\n"
        "Unknown resource type found: -2147483647 [hdr: 0000000000000000]\n"
    )


def test_a_table_that_the_firmware_has_overwritten_shows_nothing_from_outside():
    source = random.Random(7)
    for _ in range(2000):
        table = bytearray(TABLE)
        for _ in range(source.randrange(1, 12)):
            struct.pack_into("<I", table, 4 * source.randrange(len(table) // 4), source.choice(
                (0, 1, 2, 3, 20, 0x7FFFFFFF, 0xFFFFFFFF, source.getrandbits(32))
            ))  # fmt: skip
        text = table_text(bytes(table))
        assert len(text) < 1 << 20
    many = struct.pack("<4I", 1, 1 << 31, 0, 0) + struct.pack("<I", 20) * 4000 + bytes(60)
    assert table_text(many).count(b"Entry") <= 1024


def test_carveouts_of_rpmsg_are_what_a_device_tree_reserves():
    (spec,) = load_board("imx8mp-m7").processors
    table = resource_table(vdev(*RINGS), carveout(0x20000000, 0x1000, "heap"), trace(0x20000100, 9))
    file = elf([Load(0, bytes(64)), Load(0x20000000, table)], table=table)
    text = carveouts_text(check_firmware(file, spec), spec.mailbox).decode()
    assert [line[7:] for line in text.splitlines() if line.startswith("\tName: ")] == [
        *("vdev0vring0", "vdev0vring1", "vdev0buffer", "heap")
    ]
    assert text.startswith(
        "Carveout memory entry:\n\tName: vdev0vring0\n\tVirtual address: 0000000000000000\n"
        "\tDMA address: 0x0000000055000000\n\tDevice address: 0x55000000\n"
        "\tLength: 0x1000 Bytes\n\nCarveout memory entry:\n"
    )
    assert carveouts_text(NO_RESOURCES, spec.mailbox) == b""
    assert carveouts_text(Resources(table=TABLE), None).count(b"Name: heap") == 1
