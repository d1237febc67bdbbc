"""Signs firmware, as OpenSSL does."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Signer:
    """A key of its own; the file `public` has the public part."""

    def __init__(self, public: str) -> None:
        self.public = public
        self._key = Ed25519PrivateKey.generate()
        part = self._key.public_key()
        with open(public, "wb") as file:
            file.write(part.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def sign(self, firmware: bytes) -> bytes:
        """Return the signature of a firmware file."""
        return self._key.sign(firmware)
