"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def _complete_ids(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Complete a container's id in a shell."""
    options = ctx.find_root().params
    context = ctx.find_root().obj
    try:
        lifecycle = context.make(options.get("config"), options.get("root"))
        return [each.id for each in lifecycle.all() if each.id.startswith(begun)]
    except Exception:
        return []  # a shell wants no error here


ID = click.argument("container_id", metavar="ID", shell_complete=_complete_ids)
bundle_option = click.option(
    "--bundle", "-b", default=".", metavar="DIR", help="The bundle's directory (default: here)."
)
pid_file_option = click.option(
    "--pid-file", metavar="FILE", help="Write the supervisor's pid there."
)
console_option = click.option(
    "--console-socket", metavar="SOCKET", help="Send the terminal that process.terminal asks for."
)
format_option = click.option(
    "--format", "-f", "form", type=click.Choice(["table", "json"]), default="table"
)


def ignored(*names: str, **settings: Any) -> Callable[[Function], Function]:
    """Take an option of runc's that means nothing here."""
    return click.option(*names, expose_value=False, hidden=True, **settings)


def process_options(function: Function) -> Function:
    """Take what engines pass to `create`, means it something here or not."""
    for option in (
        ignored("--no-pivot", is_flag=True),
        ignored("--no-new-keyring", is_flag=True),
        ignored("--preserve-fds", metavar="N"),
        console_option,
        pid_file_option,
        bundle_option,
    ):
        function = option(function)
    return function
