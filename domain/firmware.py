"""A firmware file that has been taken out of an image."""

from __future__ import annotations

from typing import NamedTuple

SIZE_LIMIT = 64 << 20
"""The largest firmware, in bytes, that a processor takes unless the operator says otherwise."""


class FirmwareImage(NamedTuple):
    """What is known of a container's firmware from the moment it was copied out of the image.

    `name` is the entry point as the image gives it, `size` in bytes, `digest` as
    `sha256:<hex>`, `path` the private copy that nothing may change until it is deleted.
    """

    name: str
    size: int
    digest: str
    path: str
