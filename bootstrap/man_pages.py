"""Generates the manual pages in `docs/man` from the click commands of all programs.

Run `python -m bootstrap.man_pages DIR`: the pages appear below DIR. They have no date, so that the
same commands give the same bytes.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator

import click

from adapters import __version__
from adapters.oci.cli import cli
from bootstrap.sim import PROGRAM as SIM
from bootstrap.sim import command as sim

DIRECTORY = "docs/man"
_PACKAGE = "remoteproc-runtime"


def pages() -> Iterator[tuple[str, str]]:
    """Return file names and texts."""
    context = click.Context(cli, info_name=cli.name)
    commands = [cli.get_command(context, name) for name in cli.list_commands(context)]
    subcommands = {f"{cli.name}-{each.name}": each for each in commands if each}
    yield f"{cli.name}.1", _page(f"{cli.name}", cli, subcommands)
    for title, each in subcommands.items():
        yield f"{title}.1", _page(title, each, {f"{cli.name}": cli})
    yield f"{SIM}.1", _page(SIM, sim, {})


def _page(title: str, command: click.Command, others: dict[str, click.Command]) -> str:
    """Return a page that ends with references to other pages."""
    lines = [
        f'.TH {_roff(title.upper())} 1 "" "{_roff(_PACKAGE)} {__version__}" "User Commands"',
        ".nh",  # a broken name could not be copied
        ".SH NAME",
        f"{_roff(title)} \\- {_roff(_summary(command))}",
        ".SH SYNOPSIS",
        _synopsis(title, command),
        ".SH DESCRIPTION",
        *_paragraphs(inspect.cleandoc(command.help or "")),
        ".SH OPTIONS",
        *_options(command),
    ]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for other, each in others.items():
            lines += [".TP", f".BR {_roff(other)} (1)", _roff(_summary(each))]
    elif others:
        lines += [".SH SEE ALSO", *(f".BR {_roff(other)} (1)" for other in others)]
    return "\n".join(lines) + "\n"


def _summary(command: click.Command) -> str:
    """Return the first sentence of the help, without its full stop."""
    text = command.get_short_help_str(limit=200).rstrip(".")
    return text[:1].lower() + text[1:]


def _synopsis(title: str, command: click.Command) -> str:
    words = [f"\\fB{_roff(title)}\\fP"]
    if title.startswith(f"{cli.name}-"):
        words = [f"\\fB{_roff(str(cli.name))}\\fP [\\fIGLOBAL OPTIONS\\fP]"]
        words.append(f"\\fB{command.name}\\fP")
    words.append("[\\fIOPTIONS\\fP]")
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            word = f"\\fI{parameter.metavar or (parameter.name or '').upper()}\\fP"
            word += "..." if parameter.nargs == -1 else ""
            words.append(word if parameter.required else f"[{word}]")
        elif isinstance(parameter, click.Option) and parameter.required:
            words.append(_names(parameter))
    if isinstance(command, click.Group):
        words.append("\\fICOMMAND\\fP [\\fIARGUMENTS\\fP]...")
    return " ".join(words)


def _paragraphs(text: str) -> Iterator[str]:
    """Return the help as roff; click's mark \\b keeps the lines of a paragraph as they are."""
    for number, paragraph in enumerate(text.split("\n\n")):
        first, *lines = paragraph.splitlines()
        if number:
            yield ".PP"
        if first == "\b":
            yield from (".nf", *map(_roff, lines), ".fi")
        else:
            yield from map(_roff, (first, *lines))


def _options(command: click.Command) -> Iterator[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    for option in options:
        if not option.hidden:
            yield from (".TP", _names(option), _roff(_help(option)))
    yield from (".TP", "\\fB\\-h\\fP, \\fB\\-\\-help\\fP", "Show help and exit.")
    if hidden := [option for option in options if option.hidden]:
        yield ".PP"
        yield "For the sake of callers of runc, these options are accepted and have no effect:"
        yield "; ".join(_names(option) for option in hidden) + "."


def _names(option: click.Option) -> str:
    names = ", ".join(f"\\fB{_roff(name)}\\fP" for name in option.opts)
    if option.is_flag:
        return names
    choices = "|".join(option.type.choices) if isinstance(option.type, click.Choice) else ""
    return f"{names} \\fI{_roff(option.metavar or choices or 'TEXT')}\\fP"


def _help(option: click.Option) -> str:
    text = option.help or ""
    return f"{text} The default is {option.default}." if option.show_default else text


def _roff(text: str) -> str:
    """Return the text with all that roff would take for its own language escaped."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = text.replace("`", "\\(ga").replace('"', "\\(dq").replace("^", "\\(ha")
    text = text.replace("~", "\\(ti")
    return f"\\&{text}" if text.startswith(".") else text


def main() -> None:
    """Write the pages below the directory given as argument."""
    directory = os.path.join(sys.argv[1], DIRECTORY)
    os.makedirs(directory, exist_ok=True)
    for name, text in pages():
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
