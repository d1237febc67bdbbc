"""`processors`: shows the processors of the configured board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci import render
from adapters.oci.commands import CommandContext, show
from adapters.oci.exit_codes import complain
from domain.selection import no_processors

if TYPE_CHECKING:
    import click


def run(context: CommandContext, form: str) -> None:
    """Show the processors of this board: state, firmware, owner."""
    rows = context.lifecycle.processors()
    if form == "json":
        show(render.as_json([render.processor(row) for row in rows]))
    else:
        show(render.processors(rows))
        if not rows:
            complain(str(no_processors()))


def command() -> click.Command:
    """Return the grammar."""
    from adapters.oci.options import FORMAT, command

    return command("processors", run, FORMAT)
