"""Images in memory."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from domain.errors import NotFound
from domain.firmware import FirmwareImage


class MemorySource:
    """Implements domain.ports.FirmwareSource over `files`, by their path from the image's root."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.staged: list[str] = []

    def stage(self, rootfs: str, cwd: str, name: str, destination: str) -> FirmwareImage:
        """Take the file of that name."""
        try:
            data = self.files[name]
        except KeyError:
            raise NotFound(f"there is no firmware {name} in the image at {rootfs}") from None
        self.staged.append(destination)
        digest = f"sha256:{sha256(data).hexdigest()}"
        return FirmwareImage(name, len(data), digest, destination)
