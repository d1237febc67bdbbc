"""The part of a shell's language that health checks need: `status && printed ready || exit 1`.

The rest is refused: a check that is understood only in part would say "healthy" for no reason.
Source: POSIX.1-2017, Shell Command Language, 2.2 and 2.9.3 (AND-OR lists).
"""

from __future__ import annotations

from domain.errors import InvalidRequest
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

_SHELLS = ("sh", "ash", "bash", "dash")
_SPECIAL = frozenset("|&;<>()$`\\\n\r*?[]#{}!")  # a word may hold them in single quotes
_IN_QUOTES = frozenset("$`\\!")  # what double quotes do not make plain
_HINT = "write COMMAND, COMMAND || exit N, or COMMAND && COMMAND; `printed TEXT` looks for a text"


class Step(NamedTuple):
    """A command, and what the one before it must have been for this one to run."""

    operator: str  # "&&": it succeeded; "||": it failed; "": this is the first one
    words: tuple[str, ...]


def steps(words: Sequence[str]) -> list[Step]:
    """Return the commands of `sh -c LINE`; any other call is one command.

    Raises InvalidRequest for a line that is not understood.
    """
    if len(words) != 3 or words[0].rpartition("/")[2] not in _SHELLS or words[1] != "-c":
        return [Step("", tuple(words))]
    return _parse(words[2])


def _parse(line: str) -> list[Step]:
    found: list[Step] = []
    operator = ""
    command: list[str] = []
    rest = line.strip(" \t\n")
    while rest:
        if rest[:2] in ("&&", "||"):
            if not command:
                raise _refusal(line, rest[:2])
            found.append(Step(operator, tuple(command)))
            operator, command = rest[:2], []
            rest = rest[2:].lstrip(" \t\n")
        else:
            word, rest = _word(line, rest)
            command.append(word)
            rest = rest.lstrip(" \t")
    if not command:
        raise _refusal(line, operator)
    return [*found, Step(operator, tuple(command))]


def _word(line: str, rest: str) -> tuple[str, str]:
    """Take one word, which may be quoted in parts; return it, and what follows."""
    word = ""
    while rest and rest[0] not in " \t" and rest[:2] not in ("&&", "||"):
        quote = rest[0]
        if quote in "'\"":
            inner, end, rest = rest[1:].partition(quote)
            if not end:
                raise _refusal(line, quote)
            if quote == '"' and (odd := next((c for c in inner if c in _IN_QUOTES), "")):
                raise _refusal(line, odd)
            word += inner
        elif quote in _SPECIAL:
            raise _refusal(line, quote)
        else:
            word += quote
            rest = rest[1:]
    return word, rest


def _refusal(line: str, what: str) -> InvalidRequest:
    where = f"its {what!a}" if what else "nothing in it"
    return InvalidRequest(
        f"there is no shell to run {line!a}: {where} is not understood", hint=_HINT
    )
