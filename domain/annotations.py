"""The annotations through which a container asks for a processor: all under one prefix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from domain.errors import InvalidRequest

PREFIX = "remoteproc."
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Wishes(NamedTuple):
    """What the annotations ask for; an empty string where they say nothing.

    `name` is the processor, by its kernel name or as `remoteprocN`. `digest` pins the firmware.
    """

    name: str = ""
    digest: str = ""


_FIELDS = {"remoteproc.name": "name", "remoteproc.firmware-digest": "digest"}


def read_annotations(annotations: Mapping[str, str]) -> Wishes:
    """Read those under our prefix. Raises InvalidRequest on an unknown key or a bad value."""
    found = {}
    for key, value in annotations.items():
        if not key.startswith(PREFIX):
            continue
        if key not in _FIELDS:
            raise InvalidRequest(
                f"annotation {key!r} is unknown", hint=f"known are {', '.join(sorted(_FIELDS))}"
            )
        found[_FIELDS[key]] = value
    wishes = Wishes(**found)
    if "remoteproc.name" in annotations and not wishes.name:
        raise InvalidRequest(
            "annotation remoteproc.name is empty",
            hint="name a processor, or leave the annotation out where there is only one",
        )
    if wishes.digest and not _DIGEST.fullmatch(wishes.digest):
        raise InvalidRequest(
            f"annotation remoteproc.firmware-digest {wishes.digest!r} is no digest",
            hint="give sha256: and 64 hexadecimal digits",
        )
    return wishes
