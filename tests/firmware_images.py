"""What the runtime knows of a firmware file."""

from __future__ import annotations

import os
from hashlib import sha256

from domain.firmware import FirmwareImage


def image_of(path: str | os.PathLike[str]) -> FirmwareImage:
    """Return what is known of a firmware file, which serves as its own private copy."""
    with open(path, "rb") as file:
        data = file.read()
    path = os.fspath(path)
    digest = f"sha256:{sha256(data).hexdigest()}"
    return FirmwareImage(os.path.basename(path), len(data), digest, path)
