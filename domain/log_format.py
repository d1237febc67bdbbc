"""How a container's log tells the firmware's output from the runtime's remarks.

A log file is the firmware's output as it came, with remarks in between. A NUL begins a remark,
which ends with its line; a NUL of the firmware's is written twice. So no firmware can forge a
remark.
"""

from __future__ import annotations

from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterable

_MARK = b"\0"


class LogPiece(NamedTuple):
    """Some of the firmware's output, or one remark of the runtime, which is a line."""

    is_remark: bool
    data: bytes


def encode_output(data: bytes) -> bytes:
    """Return what a log file has for this output of the firmware."""
    return data.replace(_MARK, _MARK + _MARK)


def encode_remark(line: bytes) -> bytes:
    """Return what a log file has for this line of the runtime, which has a newline at its end."""
    return _MARK + line


class LogDecoder:
    """Reads one log file, which is given to `feed` in pieces of any size."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""  # the beginning of a remark, or a NUL

    def feed(self, data: bytes) -> list[LogPiece]:
        """Return what the file holds; the next call returns what is not complete yet."""
        data = self._rest + data
        pieces = []
        at = 0
        while (mark := data.find(_MARK, at)) >= 0:
            if mark > at:
                pieces.append(LogPiece(False, data[at:mark]))
            at, after = mark, mark + 1
            if data[after : after + 1] == _MARK:
                pieces.append(LogPiece(False, _MARK))
                at = after + 1
            elif (end := data.find(b"\n", after)) >= 0:
                pieces.append(LogPiece(True, data[after : end + 1]))
                at = end + 1
            else:
                break
        if mark < 0 and at < len(data):
            pieces.append(LogPiece(False, data[at:]))
            at = len(data)
        self._rest = data[at:]
        return pieces


def decode(files: Iterable[bytes]) -> tuple[bytes, bytes]:
    """Return the firmware's output, and the runtime's remarks, in whole log files."""
    pieces = [piece for data in files for piece in LogDecoder().feed(data)]
    output = b"".join(piece.data for piece in pieces if not piece.is_remark)
    return output, b"".join(piece.data for piece in pieces if piece.is_remark)
