"""The contract of domain.ports.FirmwareSource, over every adapter of it."""

from __future__ import annotations

import os
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.images.staging import FirmwareStaging
from domain.errors import Forbidden, InvalidRequest, NotFound
from domain.mounts import BundleMount, ImageFiles
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

    def add(self, name, data):
        self.source.files[name] = data


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

    def add(self, name, data):
        with open(f"{self.rootfs}/{name}", "wb") as file:
            file.write(data)

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
    found = image.source.stage(ImageFiles(image.rootfs, cwd), name, destination)
    assert found.name == name, "as the image calls it"
    assert (found.size, found.path) == (len(data), destination)
    assert found.digest == f"sha256:{sha256(data).hexdigest()}"
    assert image.copies() == {destination: data}


@pytest.mark.parametrize("name", ["hello.elf", "lib/firmware/blink.elf", "new.elf"])
def test_a_mounted_file_is_the_containers(image, destination, tmp_path, name):
    mounted = tmp_path / "mounted"
    mounted.write_bytes(b"another")
    mounts = [BundleMount(f"/{name}", str(mounted))]
    found = image.source.stage(ImageFiles(image.rootfs, "/", mounts), name, destination)
    assert (found.name, found.size) == (name, 7)
    assert image.copies() == {destination: b"another"}


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
        image.source.stage(ImageFiles(image.rootfs, "/"), name, destination)
    assert image.copies() == {}


# --- signatures -----------------------------------------------------------------------------


@pytest.fixture
def private(tmp_path):
    key = Ed25519PrivateKey.generate()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    return key


@pytest.mark.parametrize(
    ("cwd", "name", "signature"),
    [
        ("/", "/hello.elf", "hello.elf.sig"),
        ("/lib/firmware", "blink.elf", "lib/firmware/blink.elf.sig"),
        ("/lib/firmware", "../../hello.elf", "hello.elf.sig"),
    ],
)
def test_a_signature_beside_the_firmware(
    image, destination, tmp_path, private, cwd, name, signature
):
    found = image.source.stage(ImageFiles(image.rootfs, cwd), name, destination)
    keys = [str(tmp_path / "key.pem")]
    with pytest.raises(Forbidden, match=f"firmware {name} is not signed: .* no {name}.sig"):
        image.source.verify(ImageFiles(image.rootfs, cwd), found, keys)
    image.add(signature, private.sign(FILES[signature.removesuffix(".sig")]))
    image.source.verify(ImageFiles(image.rootfs, cwd), found, keys)
    image.add(signature, private.sign(b"other firmware"))
    with pytest.raises(Forbidden, match="is not of this firmware"):
        image.source.verify(ImageFiles(image.rootfs, cwd), found, keys)


def test_the_copy_is_what_is_checked(image, destination, tmp_path, private):
    """Firmware that is replaced in the image after the copy does not matter."""
    found = image.source.stage(ImageFiles(image.rootfs, "/"), "hello.elf", destination)
    image.add("hello.elf.sig", private.sign(HELLO))
    image.add("hello.elf", b"\x7fELF evil")
    image.source.verify(ImageFiles(image.rootfs, "/"), found, [str(tmp_path / "key.pem")])
    image.add("hello.elf.sig", private.sign(b"\x7fELF evil"))
    with pytest.raises(Forbidden):
        image.source.verify(ImageFiles(image.rootfs, "/"), found, [str(tmp_path / "key.pem")])
