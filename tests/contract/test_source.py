"""The contract of domain.ports.FirmwareSource, over every adapter of it."""

from __future__ import annotations

import os
from hashlib import sha256

import pytest

from adapters.images.staging import FirmwareStaging
from domain.errors import InvalidRequest, NotFound
from tests.fakes.source import MemorySource

HELLO, BLINK = b"\x7fELF hello", os.urandom(1 << 20)
FILES = {"hello.elf": HELLO, "lib/firmware/blink.elf": BLINK, "empty.elf": b""}


class Memory:
    """An image in memory."""

    def __init__(self, directory):
        self.source = MemorySource(FILES)
        self.rootfs = "/image"

    def copies(self):
        return self.source.staged


class OnDisk:
    """An image in a directory."""

    def __init__(self, directory):
        self.source = FirmwareStaging()
        self.rootfs = f"{directory}/image"
        for name, data in FILES.items():
            path = f"{self.rootfs}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        self.staging = directory / "staging"
        self.staging.mkdir()

    def copies(self):
        return {str(path): path.read_bytes() for path in self.staging.iterdir()}


@pytest.fixture(params=[Memory, OnDisk])
def image(request, tmp_path):
    return request.param(tmp_path)


@pytest.fixture
def destination(tmp_path):
    return str(tmp_path / "staging" / "firmware")


@pytest.mark.parametrize(
    ("cwd", "name", "data"),
    [
        ("/", "hello.elf", HELLO),
        ("/", "/hello.elf", HELLO),
        ("/lib", "/hello.elf", HELLO),
        ("/lib/firmware", "blink.elf", BLINK),
        ("/lib", "./firmware/../firmware/blink.elf", BLINK),
        ("/lib/firmware", "../../hello.elf", HELLO),
        ("", "hello.elf", HELLO),
    ],
)
def test_what_is_in_the_image_is_copied(image, destination, cwd, name, data):
    found = image.source.stage(image.rootfs, cwd, name, destination)
    assert found.name == name, "as the image calls it"
    assert (found.size, found.path) == (len(data), destination)
    assert found.digest == f"sha256:{sha256(data).hexdigest()}"
    assert image.copies() == {destination: data}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gone.elf", NotFound),
        ("lib/gone/blink.elf", NotFound),
        ("lib/firmware", InvalidRequest),
        ("empty.elf", InvalidRequest),
        ("../hello.elf", InvalidRequest),
        ("", InvalidRequest),
    ],
)
def test_what_is_not_firmware_leaves_nothing(image, destination, name, kind):
    with pytest.raises(kind):
        image.source.stage(image.rootfs, "/", name, destination)
    assert image.copies() == {}
