"""`start`: starts a created container."""

from __future__ import annotations

from adapters.oci.commands import CommandContext

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    import click


def run(context: CommandContext, container_id: str) -> None:
    """Start the firmware of a created container.

    Returns when the processor runs it.
    """
    context.lifecycle.start(container_id)


def command() -> click.Command:
    """Return the grammar."""
    from adapters.oci.options import CONTAINER_ID, command

    return command("start", run, CONTAINER_ID)
