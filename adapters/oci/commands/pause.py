"""`pause`: pauses the processor of a running container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext

if TYPE_CHECKING:
    import click


def run(context: CommandContext, container_id: str) -> None:
    """Freeze the firmware of a simulated processor."""
    context.lifecycle.pause(container_id)


def command() -> click.Command:
    """Return the grammar."""
    from adapters.oci.options import CONTAINER_ID, command

    return command("pause", run, CONTAINER_ID)
