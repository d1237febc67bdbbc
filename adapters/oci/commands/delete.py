"""`delete`: deletes a container."""

from __future__ import annotations

from adapters.oci.commands import CommandContext

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    import click


def run(context: CommandContext, container_id: str, force: bool) -> None:
    """Delete a stopped container."""
    context.lifecycle.delete(container_id, force=force)


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import CONTAINER_ID, command

    return command(
        "delete",
        run,
        click.Option(
            ["--force", "-f"], is_flag=True, help="Kill it first; no error if it is gone."
        ),
        CONTAINER_ID,
    )
