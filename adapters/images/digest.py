"""SHA-256. For small files OpenSSL is not loaded, since loading takes longer than hashing."""

from __future__ import annotations

from domain.errors import FirmwareUnfit

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Protocol

    from domain.firmware import FirmwareImage

    class Hash(Protocol):
        """A hash object of hashlib, as far as it is used here."""

        def update(self, data: bytes, /) -> None:
            """Take more data."""

        def hexdigest(self) -> str:
            """Return the digest of all data, in hexadecimal."""


# hashlib loads OpenSSL, which takes some 3 ms, or 11 ms from a cold disk: a quarter of an
# interpreter's start. Python's own SHA-256 is loaded at once, but takes 3 ms more for each MB.
_WORTH_OPENSSL = 1 << 20  # bytes
# Python's own modules, of 3.11 and of later versions. They are not documented: without them hashlib
# is used.
_BUILTIN = ("_sha256", "_sha2")


def sha256(size: int) -> Hash:
    """Return a new hash for about `size` bytes."""
    if size < _WORTH_OPENSSL:
        for module in _BUILTIN:
            try:
                builtin: Hash = __import__(module).sha256()
            except (ImportError, AttributeError):
                continue
            return builtin
    import hashlib

    return hashlib.sha256()


def check_copy(firmware: FirmwareImage, read: Hash) -> None:
    """Raise FirmwareUnfit unless what was read of the private copy is what was copied."""
    if f"sha256:{read.hexdigest()}" != firmware.digest:
        raise FirmwareUnfit(
            f"the copy of {firmware.name} at {firmware.path} was changed",
            hint="delete the container and create it anew",
        )
