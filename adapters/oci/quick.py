"""The calls that engines make, read without click.

Engines call `create`, `start`, `state`, `kill` and `delete` for every container, on slow cores;
importing click takes twice as long as starting Python. This reads the plain forms of those calls
only. Whatever else there is (help, mistakes, other commands) is left to click, and a test proves
that both read alike what both can read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from adapters.oci import commands
from adapters.oci.commands import Context


class Call(NamedTuple):
    """One command and its arguments, and the global options before it."""

    options: dict[str, Any]
    command: str
    arguments: dict[str, Any]

    def run(self, context: Context) -> None:
        """Carry it out."""
        context.config, context.root = self.options.get("config"), self.options.get("root")
        level = "debug" if self.options.get("debug") else "info"
        context.set_log(self.options.get("log"), self.options.get("log_format", "text"), level)
        _COMMANDS[self.command].function(context, **self.arguments)


class _Form(NamedTuple):
    function: Callable[..., Any]
    names: Sequence[str]  # of positional arguments
    needed: int
    valued: Mapping[str, str] = MappingProxyType({})
    flags: Mapping[str, str] = MappingProxyType({})


_GLOBAL_VALUED = {
    "--config": "config",
    "--root": "root",
    "--log": "log",
    "--log-format": "log_format",
}
_GLOBAL_FLAGS = {"--debug": "debug"}
_BUNDLE = {"--bundle": "bundle", "-b": "bundle", "--pid-file": "pid_file"}
_QUIET = {"--quiet": "quiet", "-q": "quiet"}
_FORCE = {"--force": "force", "-f": "force"}

_COMMANDS = {
    "create": _Form(commands.create, ("container_id",), 1, valued=_BUNDLE),
    "start": _Form(commands.start, ("container_id",), 1),
    "state": _Form(commands.state, ("container_id",), 1),
    "kill": _Form(commands.kill, ("container_id", "signal"), 1),
    "delete": _Form(commands.delete, ("container_id",), 1, flags=_FORCE),
    "list": _Form(commands.list_containers, (), 0, flags=_QUIET),
}


def parse(words: Sequence[str]) -> Call | None:
    """Read a command line (without the program's name); None if it is not of the plain forms."""
    left = list(words)
    options = _options(left, _GLOBAL_VALUED, _GLOBAL_FLAGS)
    if options is None or not left or options.get("log_format", "text") not in ("text", "json"):
        return None
    command = left.pop(0)
    form = _COMMANDS.get(command)
    if form is None:
        return None
    arguments: dict[str, Any] = {}
    positional: list[str] = []
    while left:
        found = _options(left, form.valued, form.flags)
        if found is None:
            return None
        arguments |= found
        if left:
            positional.append(left.pop(0))
    if not form.needed <= len(positional) <= len(form.names):
        return None
    arguments |= zip(form.names, positional, strict=False)
    return Call(options, command, arguments)


def _options(
    words: list[str], valued: Mapping[str, str], flags: Mapping[str, str]
) -> dict[str, Any] | None:
    """Take the options that `words` begin with; None if one is not plain."""
    found: dict[str, Any] = {}
    while words and words[0].startswith("-"):
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word in flags:
            found[flags[word]] = True
        elif name.startswith("--") and equals and name in valued:
            found[valued[name]] = value
        elif word in valued and words and not words[0].startswith("-"):
            found[valued[word]] = words.pop(0)
        else:
            return None
    return found
