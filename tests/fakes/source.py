"""Images in memory."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256

from adapters.images import signature
from domain.errors import InvalidRequest, NotFound
from domain.firmware import FirmwareImage
from domain.mounts import ImageFiles


class MemorySource:
    """Implements domain.ports.FirmwareSource over `files`, by their path from the image's root.

    `staged` is what was copied, by destination.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.staged: dict[str, bytes] = {}

    def stage(self, files: ImageFiles, name: str, destination: str) -> FirmwareImage:
        path = posixpath.normpath(posixpath.join(files.cwd or "/", name).lstrip("/"))
        if not name or path.startswith(".."):
            raise InvalidRequest(f"the entry point {name!r} is nowhere in the image")
        if any(other.startswith(f"{path}/") for other in self.files):
            raise InvalidRequest(f"firmware {path} is a directory")
        data = self.files.get(path)
        for mount in files.mounts:  # of single files
            if mount.destination.strip("/") == path:
                with open(mount.source, "rb") as file:
                    data = file.read()
        if data is None:
            raise NotFound(f"there is no firmware {name} in the image at {files.rootfs}")
        if not data:
            raise InvalidRequest(f"firmware {name} is empty")
        self.staged[destination] = data
        digest = f"sha256:{sha256(data).hexdigest()}"
        return FirmwareImage(name, len(data), digest, destination)

    def verify(self, files: ImageFiles, firmware: FirmwareImage, keys: Sequence[str]) -> None:
        """The signature is checked as that of an image on disk: `staged` is written to a file."""
        name = f"{firmware.name}{signature.SUFFIX}"
        found = self.files.get(
            posixpath.normpath(posixpath.join(files.cwd or "/", name).lstrip("/"))
        )
        if found is None:
            raise signature.missing(firmware.name)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.staged[firmware.path])
            file.flush()
            signature.check_signature(firmware._replace(path=file.name), found, keys)
