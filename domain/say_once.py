"""Says what is wrong, once as long as it stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.ports import Warn


class SayOnce:
    """Says a text unless it was the last one. `said` is the last one, `` after `over`."""

    def __init__(self, say: Warn) -> None:
        self._say = say
        self.said = ""

    def __call__(self, text: str) -> None:
        """Say a text that is new."""
        if text != self.said:
            self.said = text
            self._say(text)

    def over(self) -> None:
        """Say the next text even if it is the last one again."""
        self.said = ""
