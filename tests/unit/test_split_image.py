"""Proves that the parts of a Qualcomm image become the one file that they were split from."""

from __future__ import annotations

import hashlib
import struct

import pytest

from adapters.images.staging import FirmwareStaging
from domain.elf import read_elf
from domain.errors import InvalidRequest, NotFound
from domain.mounts import ImageFiles

HASHES, CODE, DATA = b"h" * 200, b"code" * 3000, b"data" * 10
NULL, LOAD = 0, 1


def split():
    """Return the whole ELF file as Qualcomm's tools make it, and its parts by suffix."""
    contents = [b"", HASHES, CODE, DATA, b""]
    table, offset = 52, 4096
    headers, parts = b"", {}
    offsets = []
    for number, content in enumerate(contents):
        kind = LOAD if number > 1 else NULL
        size = table + 32 * len(contents) if number == 0 else len(content)
        place = 0 if number == 0 else offset
        offsets.append(place)
        headers += struct.pack("<8I", kind, place, 0, 0x8000_0000 + place, size, size, 7, 4096)
        if number:
            offset += (len(content) + 4095) // 4096 * 4096
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIIIIIHHHHHH", 2, 164, 1, 0, table, 0, 0, 52, 32, 5, 0, 0, 0)
    whole = bytearray(header + headers)
    parts[".b00"] = bytes(whole)
    for number in (1, 2, 3):
        whole = whole.ljust(offsets[number], b"\0") + contents[number]
        parts[f".b{number:02}"] = contents[number]
    # The .mdt file has the headers, and the hashes right behind them.
    return bytes(whole), {".mdt": parts[".b00"] + HASHES, **parts}


@pytest.fixture
def stage(tmp_path):
    def stage(parts, **settings):
        root = tmp_path / "rootfs"
        (root / "fw").mkdir(parents=True)
        for suffix, content in parts.items():
            (root / f"fw/modem{suffix}").write_bytes(content)
        (tmp_path / "c1").mkdir()
        copy = tmp_path / "c1/firmware"
        source = FirmwareStaging(**settings)
        return source.stage(ImageFiles(str(root), "/fw"), "modem.mdt", str(copy)), copy

    return stage


def test_the_parts_are_joined(stage):
    whole, parts = split()
    firmware, copy = stage(parts)
    joined = copy.read_bytes()
    # Between the headers and the first segment the .mdt file has its hashes; nothing loads them.
    # And the last segment, which is empty, begins within the file.
    assert joined[4096:] == whole[4096:].ljust(0x5000, b"\0")
    assert joined.startswith(parts[".mdt"])
    assert firmware.size == len(joined)
    assert read_elf(joined, "modem.mdt").resource_table is None
    assert firmware.digest == f"sha256:{hashlib.sha256(joined).hexdigest()}"


def test_a_part_that_is_missing_is_named_and_nothing_is_left(stage, tmp_path):
    parts = split()[1]
    del parts[".b02"]
    with pytest.raises(NotFound, match=r"modem\.b02"):
        stage(parts)
    assert not (tmp_path / "c1/firmware").exists()


@pytest.mark.parametrize("content", [CODE[:-1], CODE + b"1", b"1"])
def test_a_part_of_another_build_is_refused(stage, tmp_path, content):
    with pytest.raises(InvalidRequest, match=r"\.b02 .* has not the 12000 bytes"):
        stage({**split()[1], ".b02": content})
    assert not (tmp_path / "c1/firmware").exists()


def test_headers_cannot_make_the_file_larger_than_the_limit(stage, tmp_path):
    parts = split()[1]
    table = bytearray(parts[".mdt"])
    struct.pack_into("<I", table, 52 + 2 * 32 + 4, 0xFFFF_F000)
    with pytest.raises(InvalidRequest, match="over the limit of 1000000"):
        stage({**parts, ".mdt": bytes(table)}, limit=1_000_000)
    assert not (tmp_path / "c1/firmware").exists()


@pytest.mark.parametrize(
    "content", [b"text", b"\x7fELF\x01\x01" + b"\xff" * 60, b"\x7fELF\x02\x01" + b"\1" * 80]
)
def test_what_is_no_such_file_stays_as_it_is(stage, content):
    assert stage({".mdt": content})[1].read_bytes() == content
