"""Makes click commands, and the options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def command(
    name: str, run: Callable[..., object], *parameters: click.Parameter, **settings: Any
) -> click.Command:
    """Return the click command that calls `run`, whose docstring is the help.

    `settings` are click's context settings.
    """
    return click.Command(
        name,
        params=list(parameters),
        callback=click.pass_obj(run),
        help=run.__doc__,
        context_settings=settings,
    )


def ignored(*names: str, **settings: Any) -> click.Option:
    """Return an option of runc that is accepted and has no effect here."""
    return click.Option(names, expose_value=False, hidden=True, **settings)


def _complete_ids(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Complete a container's id in a shell."""
    options = ctx.find_root().params
    context = ctx.find_root().obj
    try:
        lifecycle = context.make(options.get("config"), options.get("root"))
        return [each.id for each in lifecycle.all() if each.id.startswith(begun)]
    except Exception:
        return []  # a shell would show an error in the middle of what the user types


CONTAINER_ID = click.Argument(["container_id"], metavar="ID", shell_complete=_complete_ids)
BUNDLE = click.Option(
    ["--bundle", "-b"], metavar="DIR", help="The bundle's directory (default: here)."
)
PID_FILE = click.Option(["--pid-file"], metavar="FILE", help="Write the supervisor's pid there.")
CONSOLE_SOCKET = click.Option(
    ["--console-socket"], metavar="SOCKET", help="Send the terminal that process.terminal asks for."
)
FORMAT = click.Option(
    ["--format", "-f", "form"],
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table for people, or JSON.",
)
PROCESS_OPTIONS = (  # what engines give to `create`
    BUNDLE,
    PID_FILE,
    CONSOLE_SOCKET,
    ignored("--preserve-fds", metavar="N"),
    ignored("--no-new-keyring", is_flag=True),
    ignored("--no-pivot", is_flag=True),
)
