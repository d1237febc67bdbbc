"""`resume`: resumes the processor of a paused container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext

if TYPE_CHECKING:
    import click


def run(context: CommandContext, container_id: str) -> None:
    """Let frozen firmware go on."""
    context.lifecycle.resume(container_id)


def command() -> click.Command:
    """Return the grammar."""
    from adapters.oci.options import CONTAINER_ID, command

    return command("resume", run, CONTAINER_ID)
