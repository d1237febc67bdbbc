"""Joins the parts of a Qualcomm image to the one ELF file that a container has.

Qualcomm's tools split an ELF file: `x.mdt` has its headers, `x.b00`, `x.b01`, ... have the content
of its segments. The driver takes both forms; it would look for the parts under names that it
derives from the one that it was given.
Source: Linux drivers/soc/qcom/mdt_loader.c (qcom_mdt_bins_are_split, qcom_mdt_read_metadata).
"""

from __future__ import annotations

import os
from errno import ENOSPC
from struct import Struct

from adapters.images.digest import sha256
from domain.errors import InvalidRequest
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = Struct("<16sHHIIIIIHHHHHH")  # struct elf32_hdr
_PROGRAM = Struct("<8I")
_HEAD = 1 << 16  # bytes of an .mdt file that have all program headers
_PARTS = 100  # two digits
_CHUNK = 1 << 18
_PADDING = 1 << 20  # bytes between two segments


class Part(NamedTuple):
    """One part: the end of its name, where its content goes in the ELF file, and its size."""

    suffix: str
    offset: int
    size: int


def parts(head: bytes) -> list[Part]:
    """Return the parts that an `.mdt` file names; none if it is no such file.

    `head` is the beginning of the file. There is no part of size 0.
    """
    if len(head) < _HEADER.size or head[:6] != b"\x7fELF\x01\x01":
        return []
    fields = _HEADER.unpack_from(head)
    start, count = fields[5], fields[10]
    found = []
    for number in range(min(count, _PARTS)):
        at = start + number * _PROGRAM.size
        if at + _PROGRAM.size > len(head):
            return []
        _, offset, _, _, size, *_ = _PROGRAM.unpack_from(head, at)
        found.append(Part(f".b{number:02}", offset, size))
    return found


def join(path: str, open_part: Callable[[str, int], int]) -> tuple[int, str]:
    """Write all parts into the file, which is a private copy of the `.mdt` file.

    `open_part` takes the end of a part's name, and the size so far, which it may refuse; it returns
    a descriptor. Returns the size and the digest of the joined file. Raises OSError, what
    `open_part` raises, and InvalidRequest for a part that is not as long as the headers say.
    """
    target = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        total = 0  # segments that overlap must not keep this process busy
        named = parts(os.pread(target, _HEAD, 0))
        for part in filter(lambda part: part.size, named):
            total += part.size
            source = open_part(part.suffix, max(total, part.offset + part.size))
            try:
                _copy(source, target, part)
            finally:
                os.close(source)
        size = os.fstat(target).st_size
        # The kernel takes the file for a split one if a segment begins behind its end.
        if size < (end := max((part.offset for part in named), default=0)) <= size + _PADDING:
            os.ftruncate(target, size := end)
        digest, at = sha256(size), 0
        while chunk := os.pread(target, _CHUNK, at):
            digest.update(chunk)
            at += len(chunk)
        return size, f"sha256:{digest.hexdigest()}"
    finally:
        os.close(target)


def _copy(source: int, target: int, part: Part) -> None:
    done = 0
    while done < part.size and (chunk := os.read(source, min(_CHUNK, part.size - done))):
        written = os.pwrite(target, chunk, part.offset + done)
        if written < len(chunk):
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        done += written
    if done < part.size or os.read(source, 1):
        raise InvalidRequest(
            f"the part {part.suffix} of the firmware has not the {part.size} bytes that its .mdt "
            "file says",
            hint="copy all parts of one build into the image",
        )
