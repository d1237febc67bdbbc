"""Proves which signatures of firmware are good; OpenSSL makes them, as users do."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest

from adapters.images.signature import check_signature
from domain.errors import FirmwareUnfit, Forbidden, HostFault, InvalidRequest
from tests.firmware_images import image_of

FIRMWARE = b"\x7fELF" + bytes(range(256)) * 5


class Signer:
    """A key pair of OpenSSL's, in a directory."""

    def __init__(self, directory, name, algorithm="ed25519"):
        self.private, self.public = directory / f"{name}.key", str(directory / f"{name}.pem")
        self._openssl("genpkey", "-algorithm", algorithm, "-out", self.private)
        self._openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def sign(self, path):
        out = f"{path}.sig"
        words = ("pkeyutl", "-sign", "-rawin", "-inkey", self.private)
        self._openssl(*words, "-in", path, "-out", out)
        with open(out, "rb") as file:
            return file.read()


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return Signer(tmp_path_factory.mktemp("keys"), "plant")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return Signer(tmp_path_factory.mktemp("keys"), "other")


@pytest.fixture
def firmware(tmp_path):
    path = tmp_path / "hello.elf"
    path.write_bytes(FIRMWARE)
    return image_of(path)


def test_a_signature_by_any_of_the_keys(firmware, signer, other):
    signature = signer.sign(firmware.path)
    check_signature(firmware, signature, [signer.public])
    check_signature(firmware, signature, [other.public, signer.public])


def test_base64_with_line_ends(firmware, signer):
    text = base64.encodebytes(signer.sign(firmware.path))
    assert text.count(b"\n") == 2
    check_signature(firmware, text, [signer.public])


def test_another_key(firmware, signer, other):
    with pytest.raises(Forbidden, match=r"not of this firmware by a key .*other\.pem\)"):
        check_signature(firmware, signer.sign(firmware.path), [other.public])


@pytest.mark.parametrize("bit", [0, 7, 8 * 4, 8 * len(FIRMWARE) // 2, 8 * len(FIRMWARE) - 1])
def test_one_bit_of_the_firmware(firmware, signer, tmp_path, bit):
    signature, changed = signer.sign(firmware.path), bytearray(FIRMWARE)
    changed[bit // 8] ^= 1 << bit % 8
    (tmp_path / "hello.elf").write_bytes(changed)
    with pytest.raises(Forbidden, match=r"hello\.elf is not of this firmware"):
        check_signature(image_of(firmware.path), signature, [signer.public])
    with pytest.raises(FirmwareUnfit, match="was changed"):  # after the digest was taken
        check_signature(firmware, signature, [signer.public])


@pytest.mark.parametrize("bit", range(0, 512, 37))
def test_one_bit_of_the_signature(firmware, signer, bit):
    signature = bytearray(signer.sign(firmware.path))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Forbidden):
        check_signature(firmware, bytes(signature), [signer.public])


@pytest.mark.parametrize(
    "signature", [b"", b"x", bytes(63), bytes(65), b"\xff" * 88, b"A" * 87, b"A" * 1025]
)
def test_no_signature(firmware, signer, signature):
    with pytest.raises(Forbidden, match=r"hello\.elf\.sig is no Ed25519 signature") as refusal:
        check_signature(firmware, signature, [signer.public])
    assert "openssl pkeyutl -sign" in refusal.value.hint


def test_what_is_no_key(firmware, signer, tmp_path):
    signature = signer.sign(firmware.path)
    (tmp_path / "text.pem").write_text("hello")
    rsa = Signer(tmp_path, "rsa", "rsa")
    for path in (str(tmp_path / "text.pem"), rsa.public, str(signer.private)):
        with pytest.raises(InvalidRequest, match=r"is no Ed25519 public key") as refusal:
            check_signature(firmware, signature, [signer.public, path])
        assert path in str(refusal.value)
    with pytest.raises(HostFault, match=r"cannot read .*/none\.pem: No such file"):
        check_signature(firmware, signature, [str(tmp_path / "none.pem")])


def test_without_the_package_nothing_is_believed(firmware, signer, monkeypatch):
    signature = signer.sign(firmware.path)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(HostFault, match=r"cryptography is missing; install .*\[signatures\]"):
        check_signature(firmware, signature, [signer.public])
