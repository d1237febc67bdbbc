"""`state`: shows a container's state."""

from __future__ import annotations

from adapters.oci import render
from adapters.oci.commands import CommandContext, show

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    import click


def run(context: CommandContext, container_id: str) -> None:
    """Show a container's state as JSON."""
    show(render.as_json(render.state(context.lifecycle.state(container_id))))


def command() -> click.Command:
    """Return the grammar."""
    from adapters.oci.options import CONTAINER_ID, command

    return command("state", run, CONTAINER_ID)
