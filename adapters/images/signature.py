"""Ed25519 signatures of firmware (RFC 8032), each a file beside the firmware in the image.

`openssl pkeyutl -sign -rawin -inkey KEY -in hello.elf -out hello.elf.sig` makes one. The file has
the 64 bytes of the signature, or their base64. Only a policy that requires signatures imports this
module, and the package `cryptography`, which takes longer than a command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters.images.digest import check_copy, sha256
from domain.errors import Forbidden, HostFault, InvalidRequest, host_fault
from domain.firmware import FirmwareImage

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SUFFIX = ".sig"
"""What follows the name of the firmware in the name of its signature."""

LONGEST = 1024
"""The size of a file, in bytes, beyond which it can be no signature."""

_SIZE = 64  # bytes of a signature
_KEY_LONGEST = 1 << 16  # bytes
_SIGN = "sign it: openssl pkeyutl -sign -rawin -inkey KEY -in {0} -out {0}.sig"


def missing(name: str) -> Forbidden:
    """Return the error of firmware without a signature."""
    return Forbidden(
        f"firmware {name} is not signed: the image has no {name}{SUFFIX}",
        hint=_SIGN.format(name),
    )


def unusable(name: str, why: str) -> Forbidden:
    """Return the error of a signature that is not the content of a file."""
    why = f"firmware {name} has no signature that can be read: {why}"
    return Forbidden(why, hint=_SIGN.format(name))


def check_signature(firmware: FirmwareImage, signature: bytes, keys: Sequence[str]) -> None:
    """Check a signature of the private copy; any of the keys may have made it.

    `keys` are files with Ed25519 public keys, as PEM. Raises Forbidden if none of them has signed
    this very firmware; InvalidRequest for a file without such a key; FirmwareUnfit if the copy has
    changed; HostFault.
    """
    raw = _decode(signature, firmware.name)
    loaded = [_load(path) for path in keys]
    data = _read(firmware.path, -1)
    digest = sha256(len(data))
    digest.update(data)
    check_copy(firmware, digest)
    if not any(_signed(key, raw, data) for key in loaded):
        raise Forbidden(
            f"the signature of firmware {firmware.name} is not of this firmware by a key of the "
            f"configuration ({', '.join(keys)})",
            hint=_SIGN.format(firmware.name),
        )


def _decode(signature: bytes, name: str) -> bytes:
    import base64
    import binascii

    if len(signature) == _SIZE:
        return signature
    try:
        raw = base64.b64decode(b"".join(signature.split()), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != _SIZE:
        raise Forbidden(
            f"{name}{SUFFIX} is no Ed25519 signature: it is neither {_SIZE} bytes nor their base64",
            hint=_SIGN.format(name),
        )
    return raw


def _load(path: str) -> Ed25519PublicKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise HostFault(
            "cannot check the signature of firmware: the Python package cryptography is missing",
            hint="install remoteproc-runtime[signatures]",
        ) from error
    try:
        key = load_pem_public_key(_read(path, _KEY_LONGEST))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(path) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path)
    return key


def _no_key(path: str) -> InvalidRequest:
    return InvalidRequest(
        f"{path} is no Ed25519 public key in PEM",
        hint="make it with: openssl pkey -in KEY -pubout",
    )


def _signed(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _read(path: str, most: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        raise host_fault(f"cannot read {path}", error) from error
