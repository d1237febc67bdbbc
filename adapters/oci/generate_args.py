"""Generates `adapters/oci/args_table.py`, the table of `adapters.oci.fast_args`, from click.

Run `python -m adapters.oci.generate_args DIR`: the file appears below DIR.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from adapters.oci.cli import cli

if TYPE_CHECKING:
    from adapters.oci.fast_args import Grammar

PATH = "adapters/oci/args_table.py"
# What engines call for each container.
FAST = ("create", "delete", "exec", "kill", "list", "pause", "ps", "resume", "start", "state")

_HEAD = '''\
"""The plain forms of the calls that engines make. Generated: do not edit.

`script/generate` makes this file from click's commands; `adapters.oci.fast_args` reads it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from adapters.oci.fast_args import Grammar

'''


def table() -> str:
    """Return the text of the generated file."""
    context = cli.make_context(cli.name, [FAST[0]])
    parts = [_HEAD, _assignment("GLOBAL_OPTIONS: Grammar", _grammar(cli, context)), "\n"]
    commands = {}
    for name in FAST:
        command = cli.get_command(context, name)
        assert command is not None, name
        required = [each.name or "" for each in command.params if each.required]
        commands[name] = _grammar(command, command.make_context(name, required))
    parts.append(_assignment("COMMANDS: dict[str, Grammar]", commands))
    return "".join(parts)


def _grammar(command: click.Command, context: click.Context) -> Grammar:
    """Return the plain form of a command; `context` is of a call that gives what must be given."""
    found: Grammar = {
        "values": {},
        "flags": {},
        "choices": {},
        "arguments": [],
        "required": 0,
        "mixed": context.allow_interspersed_args,
        "defaults": dict(context.params),
    }
    for parameter in command.params:
        name = parameter.name or ""
        if parameter.required:
            del found["defaults"][name]
        if isinstance(parameter, click.Argument):
            if parameter.nargs == 1:
                found["arguments"].append(name)
                found["required"] += parameter.required
        elif isinstance(parameter, click.Option) and _is_plain(parameter):
            options = found["flags"] if parameter.is_flag else found["values"]
            options |= dict.fromkeys(parameter.opts, name if parameter.expose_value else "")
            if isinstance(parameter.type, click.Choice):
                found["choices"][name] = list(parameter.type.choices)
    return found


def _is_plain(option: click.Option) -> bool:
    """Tell whether the option's value is a flag or the very text that the caller gave."""
    text = isinstance(option.type, (click.types.StringParamType, click.Choice))
    once = option.nargs == 1 and not (option.multiple and option.expose_value)
    return (option.is_flag or text) and once and option.callback is None


def _assignment(target: str, value: object) -> str:
    return f"{target} = {_literal(value, '')}\n"


def _literal(value: object, indent: str) -> str:
    """Return the value in Python's words, laid out as ruff formats it."""
    if isinstance(value, dict):
        pairs = [f"{_literal(k, '')}: {_literal(v, indent + '    ')}" for k, v in value.items()]
        if sum(map(len, pairs)) < 60 and "\n" not in "".join(pairs):
            return "{" + ", ".join(pairs) + "}"
        return "{\n" + "".join(f"{indent}    {pair},\n" for pair in pairs) + indent + "}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(item, '') for item in value)}]"
    if isinstance(value, str):
        assert value.isprintable() and not set(value) & {'"', "\\"}, value
        return f'"{value}"'
    return repr(value)


def main() -> None:
    """Write the file below the directory given as argument."""
    path = os.path.join(sys.argv[1], PATH)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(table())


if __name__ == "__main__":
    main()
