"""Carries the container's stdin to the firmware's console."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE = 4096
_INTERRUPT = b"\x03"


class Input:
    """One input stream. On a terminal, Ctrl-C asks to stop, as Docker's users expect."""

    def __init__(self, descriptor: int, *, terminal: bool) -> None:
        self._descriptor = descriptor
        self._terminal = terminal
        self._waiting = b""

    @property
    def descriptors(self) -> list[int]:
        """What to poll for input: nothing while the console has not taken the last piece."""
        return [] if self._waiting or self._descriptor < 0 else [self._descriptor]

    @property
    def waiting(self) -> bool:
        """Whether the console has not taken all of the last piece yet."""
        return bool(self._waiting)

    def read(self) -> bool:
        """Read a piece of input; tell whether it asks to stop."""
        try:
            data = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""  # the terminal was hung up
        if not data:
            self._descriptor = -1
        if self._terminal and _INTERRUPT in data:
            return True
        self._waiting = data
        return False

    def feed(self, write: Callable[[bytes], int]) -> None:
        """Give the console what it takes of the piece; `write` returns how many bytes it took."""
        if self._waiting:
            self._waiting = self._waiting[write(self._waiting) :]
