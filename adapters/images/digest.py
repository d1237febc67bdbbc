"""SHA-256, without OpenSSL where OpenSSL is not worth its loading."""

from __future__ import annotations

from typing import Protocol

# hashlib loads OpenSSL: some 3 ms, 11 from a cold disk, a quarter of an interpreter start. Python's
# own SHA-256 needs no loading, but 3 ms more for each MB than OpenSSL with the processor's help.
_WORTH_OPENSSL = 1 << 20  # bytes
_OWN = ("_sha256", "_sha2")  # of Python 3.11, and since; no promise, so hashlib must do as well


class Hash(Protocol):
    """What hashlib's objects can do, as far as anybody asks here."""

    def update(self, data: bytes, /) -> None:
        """Take more data."""

    def hexdigest(self) -> str:
        """Return the digest of all data, in hexadecimal."""


def sha256(size: int) -> Hash:
    """Return a new hash for about `size` bytes."""
    if size < _WORTH_OPENSSL:
        for module in _OWN:
            try:
                own: Hash = __import__(module).sha256()
            except (ImportError, AttributeError):
                continue
            return own
    import hashlib

    return hashlib.sha256()
