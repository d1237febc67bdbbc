"""The firmware files of the table's rows, by name."""

from __future__ import annotations

import lzma
import os
import shutil

from tests.elf_builder import Load, carveout, devmem, elf, other, resource_table, trace

# Vectors, then wfi and a branch back to it: the simulated Cortex-M sleeps for ever.
CODE = bytes.fromhex("00100020 09000000 30bf fde7") + bytes(52)
FLASH = Load(0x0, CODE)
RAM = Load(0x2000_0000, memory_size=0x4000)
TRACE = resource_table(trace(0x2000_1000, 0x100))
GOOD = elf([FLASH])
# Counts for a second or more, then writes `b` after the `a` in the trace buffer.
LATE_CODE = bytes.fromhex(
    "00100020 09000000 0348 0449 0139 fdd1 6222 0270 30bf fde7 01100020 00008017"
)
LATE_TRACE = [Load(0x0, LATE_CODE), Load(0x2000_0000, bytes(0x1000) + b"a", memory_size=0x4000)]


def _patched(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


def _table(table: bytes) -> bytes:
    return elf([FLASH, RAM], table=table)


IMAGES = {
    "ok.elf": GOOD,
    "trace.elf": _table(TRACE),
    "growing.elf": elf(LATE_TRACE, table=TRACE),
    "two-traces.elf": _table(resource_table(trace(0x2000_1000, 0x100), trace(0x2000_2000, 0x100))),
    "trace-outside.elf": _table(resource_table(trace(0x7000_0000, 0x100))),
    # A start refuses these.
    "text": b"this is no firmware, but it is long enough to hold an ELF header or two of them\n",
    "raw": bytes(range(256)) * 4,
    "hex": b":10010000214601360121470136007EFE09D2190140\n:00000001FF\n" * 4,
    "class-0.elf": _patched(GOOD, 4, 0),
    "class-3.elf": _patched(GOOD, 4, 3),
    "big-endian.elf": _patched(GOOD, 5, 2),
    "tiny": b"\x7fELF",
    "cut-header.elf": GOOD[:40],
    "cut-data.elf": elf([FLASH], section_headers=False)[:100],
    "no-headers.elf": elf([], section_headers=False),
    "headers-past-end.elf": elf([FLASH], patch={"e_phoff": 0x10000}),
    "data-past-end.elf": elf([FLASH._replace(file_size=0x1000)], section_headers=False),
    "memsz-less.elf": elf([FLASH._replace(memory_size=8)]),
    "outside.elf": elf([FLASH, Load(0x6000_0000, b"xxxx")]),
    "spans-end.elf": elf([FLASH, Load(0x2000_0000, memory_size=0x100001)]),
    "cut-trace.elf": _table(resource_table(trace(0x2000_1000, 0x100)[:20])),
    "entry-past-end.elf": _table(TRACE[:16] + b"\xff\x0f\0\0" + TRACE[20:]),
    "devmem.elf": _table(resource_table(devmem(0x4000_0000, 0x1000, "regs"))),
    "carveout-huge.elf": _table(resource_table(carveout(0xFFFF_FFFF, 0x7000_0000, "huge"))),
    # A start accepts these.
    "riscv.elf": elf([FLASH], machine=243),
    "x86-64.elf": elf([FLASH], machine=62, bits=64),
    "elf64.elf": elf([FLASH], bits=64),
    "dyn.elf": elf([FLASH], type=3),
    "rel.elf": elf([FLASH], type=1),
    "no-load.elf": elf([FLASH._replace(type=4)]),
    "entry-outside.elf": elf([FLASH], entry=0x7000_0001),
    "no-sections.elf": elf([FLASH], section_headers=False),
    "table-version.elf": _table(resource_table(version=9)),
    "table-reserved.elf": _table(resource_table(reserved=1)),
    "table-cut.elf": _table(TRACE[:10]),
    "table-empty.elf": _table(b""),
    "vendor.elf": _table(resource_table(other(128, bytes(8)))),
    "unknown-entry.elf": _table(resource_table(other(77, bytes(8)))),
    "packed.elf.xz": lzma.compress(GOOD, check=lzma.CHECK_CRC32),
    "empty": b"",
}


def write(directory: str) -> None:
    """Write all of them, and links, directories and a FIFO beside."""
    for name, data in IMAGES.items():
        with open(f"{directory}/{name}", "wb") as file:
            file.write(data)
    for name in ("sub", "is-directory", "updates"):
        os.makedirs(f"{directory}/{name}", exist_ok=True)
    with open(f"{directory}/sub/x.elf", "wb") as file:
        file.write(GOOD)
    with open(f"{directory}/mode-0000.elf", "wb") as file:
        file.write(GOOD)
    os.chmod(f"{directory}/mode-0000.elf", 0)
    outside = os.path.join(os.path.dirname(directory), "outside.elf")
    with open(outside, "wb") as file:
        file.write(GOOD)
    os.symlink("../outside.elf", f"{directory}/link-out.elf")
    os.symlink("nowhere", f"{directory}/dangling.elf")
    os.symlink("loop.elf", f"{directory}/loop.elf")
    os.mkfifo(f"{directory}/fifo")
    with open(f"{directory}/{'n' * 255}", "wb") as file:
        file.write(GOOD)
    with open(f"{directory}/{'n' * 251}", "wb") as file:
        file.write(GOOD)
    with open(f"{directory}/ a b", "wb") as file:
        file.write(GOOD)
    # A bad file in an earlier directory does not hide a good one in a later (6.1).
    os.makedirs(f"{directory}/updates/ok.elf", exist_ok=True)
    with open(f"{directory}/updates/first.elf", "wb") as file:
        file.write(GOOD)
    with open(f"{directory}/first.elf", "wb") as file:
        file.write(b"the second one")
    custom = os.path.join(os.path.dirname(directory), "custom")
    os.makedirs(custom, exist_ok=True)
    with open(f"{custom}/custom.elf", "wb") as file:
        file.write(GOOD)
    _write_in_order([custom, *(f"{directory}/{place}" for place in PLACES)])


PLACES = (f"updates/{os.uname().release}", "updates", os.uname().release, ".")
"""The directories below /lib/firmware that the kernel searches, in its order."""


def _write_in_order(places: list[str]) -> None:
    """Write files that are good in one directory, and bad in all later ones."""
    for number, place in enumerate(places):
        os.makedirs(place, exist_ok=True)
        for good in range(number + 1):
            with open(f"{place}/place-{good}.elf", "wb") as file:
                file.write(GOOD if good == number else IMAGES["text"])


def remove(directory: str, keep: set[str]) -> None:
    """Undo `write`."""
    for name in set(os.listdir(directory)) - keep:
        path = f"{directory}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    above = os.path.dirname(directory)
    os.unlink(f"{above}/outside.elf")
    shutil.rmtree(f"{above}/custom")
