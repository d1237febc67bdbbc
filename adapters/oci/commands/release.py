"""`release`: ends a dead container's claim on a processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext

if TYPE_CHECKING:
    import click


def run(context: CommandContext, processor: str, force: bool) -> None:
    """Stop what a container has left running on a processor.

    The driver has refused to stop it. Every command tries that again, after pauses of up to a
    minute; this one tries at once. With --force it also kills a living container, and gives the
    processor up if the driver refuses: the container has then ended, and the processor runs on
    until its driver stops it.
    """
    context.lifecycle.release(processor, force=force)


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import command

    return command(
        "release",
        run,
        click.Option(["--force", "-f"], is_flag=True, help="Give up what cannot be stopped."),
        click.Argument(["processor"]),
    )
