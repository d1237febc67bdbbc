"""The streams that a container gets."""

from __future__ import annotations

from domain.light_types import NamedTuple


class Stdio(NamedTuple):
    """The descriptors that a container gets as stdin, stdout and stderr.

    `interactive`: the supervisor reads stdin for the firmware's console. `terminal`: all three
    are a terminal in raw mode.
    """

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2
    interactive: bool = False
    terminal: bool = False
