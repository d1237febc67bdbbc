"""A tree of regular files in the form of sysfs, to read attributes and to publish firmware."""

from __future__ import annotations

import hashlib

import pytest

from domain.firmware import FirmwareImage
from tests.elf_builder import elf, resource_table, trace

PLAIN = elf(table=resource_table(trace(0x2000_1000, 0x100)))


class Tree:
    def __init__(self, root):
        self.root = root
        (root / "lib/firmware").mkdir(parents=True)
        (root / "sys/class/remoteproc").mkdir(parents=True)

    def processor(self, device, **attributes):
        place = self.root / "sys/class/remoteproc" / device
        place.mkdir()
        for name, value in attributes.items():
            (place / name).write_bytes(value if isinstance(value, bytes) else f"{value}\n".encode())
        return place

    def parameter(self, value):
        place = self.root / "sys/module/firmware_class/parameters"
        place.mkdir(parents=True, exist_ok=True)
        (place / "path").write_text(f"{value}\n")


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "root")


@pytest.fixture
def image(tmp_path):
    def make(data=PLAIN, name="fw.elf"):
        path = tmp_path / "staged"
        path.write_bytes(data)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return FirmwareImage(name, len(data), digest, str(path))

    return make
