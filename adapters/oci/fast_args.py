"""Reads the calls that engines make, without click.

Engines call `create`, `start`, `state`, `kill` and `delete` for every container, on slow cores;
importing click takes twice as long as starting Python. This reader takes only the plain forms of
those calls, by the table that `adapters.oci.generate_args` makes from click's commands. All other
calls (help, mistakes, other commands) are left to click. A test proves that both read alike.
"""

from __future__ import annotations

from adapters.oci.args_table import COMMANDS, GLOBAL_OPTIONS

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypedDict

    from adapters.oci.commands import CommandContext

    class Grammar(TypedDict):
        """The plain form of one command. An option that sets the parameter "" is ignored."""

        values: dict[str, str]  # an option that takes a value, and the parameter that it sets
        flags: dict[str, str]  # an option that takes none, and the parameter that it sets
        choices: dict[str, list[str]]  # a parameter, and the only values that it takes
        arguments: list[str]  # the parameters that words without an option set
        required: int  # how many of the arguments must be given
        mixed: bool  # whether options may follow arguments
        defaults: dict[str, Any]  # of the parameters that the call leaves out


class Call:
    """One command and its arguments, and the global options before the command."""

    def __init__(self, options: dict[str, Any], command: str, arguments: dict[str, Any]) -> None:
        self._options = options
        self._command = command
        self._arguments = arguments

    def run(self, context: CommandContext) -> object:
        """Carry the command out; return its exit code, if it has one."""
        context.set_options(**self._options)
        # importlib would cost time; this is what `import` itself calls.
        module = __import__(f"adapters.oci.commands.{self._command}", fromlist=("run",))
        return module.run(context, **self._arguments)


def parse(words: Sequence[str]) -> Call | None:
    """Read a command line (without the program's name); None if it is not of the plain forms."""
    left = list(words)
    options = _parse(left, GLOBAL_OPTIONS)
    if options is None or not left:
        return None
    command = left.pop(0)
    grammar = COMMANDS.get(command)
    if grammar is None:
        return None
    arguments = _parse(left, grammar)
    if arguments is None or left:
        return None
    return Call(options, command, arguments)


def _parse(words: list[str], grammar: Grammar) -> dict[str, Any] | None:
    """Take a command's words off the list; None if one is not of the plain form."""
    found: dict[str, Any] = {}
    given = 0
    names = grammar["arguments"]
    while _take_options(words, grammar, found) and words and given < len(names):
        found[names[given]] = words.pop(0)
        given += 1
        if not grammar["mixed"]:
            break
    if given < grammar["required"]:
        return None
    for name, allowed in grammar["choices"].items():
        if name in found and found[name] not in allowed:
            return None
    found.pop("", None)
    return {**grammar["defaults"], **found}


def _take_options(words: list[str], grammar: Grammar, found: dict[str, Any]) -> bool:
    """Take the options that `words` begin with; tell whether all of them were plain."""
    values, flags = grammar["values"], grammar["flags"]
    while words and words[0].startswith("-"):
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word in flags:
            found[flags[word]] = True
        elif name.startswith("--") and equals and name in values:
            found[values[name]] = value
        elif word in values and words and not words[0].startswith("-"):
            found[values[word]] = words.pop(0)
        else:
            words.insert(0, word)
            return False
    return True
