"""Images in memory."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from hashlib import sha256

from domain.errors import InvalidRequest, NotFound
from domain.firmware import FirmwareImage


class MemorySource:
    """Implements domain.ports.FirmwareSource over `files`, by their path from the image's root.

    `staged` is what was copied, by destination.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.staged: dict[str, bytes] = {}

    def stage(self, rootfs: str, cwd: str, name: str, destination: str) -> FirmwareImage:
        path = posixpath.normpath(posixpath.join(cwd or "/", name).lstrip("/"))
        if not name or path.startswith(".."):
            raise InvalidRequest(f"the entry point {name!r} is nowhere in the image")
        if any(other.startswith(f"{path}/") for other in self.files):
            raise InvalidRequest(f"firmware {path} is a directory")
        data = self.files.get(path)
        if data is None:
            raise NotFound(f"there is no firmware {name} in the image at {rootfs}")
        if not data:
            raise InvalidRequest(f"firmware {name} is empty")
        self.staged[destination] = data
        digest = f"sha256:{sha256(data).hexdigest()}"
        return FirmwareImage(name, len(data), digest, destination)
