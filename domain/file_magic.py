"""Guesses what a file is that is not an ELF file, so that the error can say it."""

from __future__ import annotations

_MAGIC = (
    (b"\x68\xa4\x43\x35", "firmware signed for OP-TEE"),  # optee_os ta/remoteproc
    (b"\x27\x05\x19\x56", "a U-Boot image (uImage)"),
    (b"\xd0\x0d\xfe\xed", "a flattened image tree or device tree"),
    (b"STM2", "an image with an STM32 header"),
    (b"UF2\n", "a UF2 file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"BZh", "a bzip2 file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"!<arch>\n", "a static library"),
    (b"#!", "a script"),
    (b"MZ", "a Windows or EFI program"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)

_TEXT = frozenset(b"\t\n\f\r") | frozenset(range(0x20, 0x7F))


def looks_like(head: bytes) -> str:
    """Return in a few words what a file seems to be, from its first bytes (512 are enough)."""
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    if head[:1] == b":" and head[1:9].isalnum():
        return "Intel HEX"
    if head[:1] == b"S" and head[1:2].isdigit() and head[2:10].isalnum():
        return "Motorola S-records"
    if not head.strip(b"\0"):
        return "nothing but zeros"
    if _TEXT.issuperset(head):
        return "text"
    if _vector_table(head):
        return "a raw binary that begins with a Cortex-M vector table"
    return "a raw binary"


def _vector_table(head: bytes) -> bool:
    # Arm v7-M ARM, B1.5.3: the initial stack pointer, word-aligned in RAM, then the reset
    # handler, whose lowest bit means Thumb.
    stack = int.from_bytes(head[:4], "little")
    reset = int.from_bytes(head[4:8], "little")
    in_ram = 0x1000_0000 <= stack < 0x4000_0000 and stack % 4 == 0
    return len(head) >= 8 and in_ram and reset & 1 == 1
