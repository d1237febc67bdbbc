"""`ps`: shows the Linux processes of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci import ps_events, render
from adapters.oci.commands import CommandContext, show

if TYPE_CHECKING:
    import click


def run(context: CommandContext, container_id: str, form: str) -> None:
    """Show the Linux processes that stand for a container."""
    pids = ps_events.processes(context.lifecycle.state(container_id))
    show(render.as_json(pids) if form == "json" else ps_events.ps_table(pids))


def command() -> click.Command:
    """Return the grammar."""
    from adapters.oci.options import CONTAINER_ID, FORMAT, command

    return command("ps", run, FORMAT, CONTAINER_ID)
