"""A firmware file that the runtime has copied out of an image, and what is kept of its output."""

from __future__ import annotations

from domain.light_types import NamedTuple

SIZE_LIMIT = 64 << 20
"""The largest firmware, in bytes, that a processor takes unless the operator says otherwise."""

STAGED_NAME = "firmware"
"""The name of the private copy in the container's directory."""

LOG_FILES = ("log.1", "log")
"""The files of the container's directory that keep the latest output, the older one first.

See domain.log_format.
"""


class FirmwareImage(NamedTuple):
    """A container's firmware: `path` is a private copy, which nobody changes until it is deleted.

    `name` is the entry point as the image gives it, `size` in bytes, `digest` as
    `sha256:<hex>`.
    """

    name: str
    size: int
    digest: str
    path: str


def staged_path(directory: str) -> str:
    """Return the path of the private copy in this container's directory."""
    return f"{directory}/{STAGED_NAME}"
