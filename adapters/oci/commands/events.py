"""`events`: prints what a container uses, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci import ps_events
from adapters.oci.commands import CommandContext

if TYPE_CHECKING:
    import click

_DAY = 86400.0  # seconds


def run(context: CommandContext, container_id: str, interval: float, stats: bool) -> None:
    """Print what a container uses, as JSON, until it has ended."""
    ps_events.follow(context.lifecycle, container_id, interval, once=stats)


def _seconds(_: click.Context, parameter: click.Parameter, text: str) -> float:
    """Read a duration of one unit, as Go writes it: 500ms, 5s. Raises click.BadParameter."""
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)):
        number = text.removesuffix(unit)
        written = number.isascii() and number.replace(".", "", 1).isdigit()
        if text.endswith(unit) and written and 0 < float(number) * factor <= _DAY:
            return float(number) * factor
    import click

    raise click.BadParameter(f"{text!r} is no time up to a day: write 500ms or 5s", param=parameter)


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import CONTAINER_ID, command

    return command(
        "events",
        run,
        click.Option(["--stats"], is_flag=True, help="Print once and end."),
        click.Option(
            ["--interval"],
            default="5s",
            show_default=True,
            metavar="TIME",
            callback=_seconds,
            help="Time between two, as 500ms or 5s.",
        ),
        CONTAINER_ID,
    )
