"""`update`: refused, because limits of Linux do not reach firmware."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext
from domain.errors import Unsupported

if TYPE_CHECKING:
    import click


def run(context: CommandContext, container_id: str, limits: Sequence[str]) -> None:
    """Fail: limits of Linux do not reach firmware."""
    # An option's value may stand before the id: the id is the last word that is no option.
    words = [word for word in (container_id, *limits) if not word.startswith("-")]
    container_id = words[-1] if words else container_id
    context.lifecycle.state(container_id)
    raise Unsupported(
        f"cannot update container {container_id}: firmware runs outside of Linux's limits",
        hint="limits of its supervisor are set at creation",
    )


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import CONTAINER_ID, command

    limits = click.Argument(["limits"], nargs=-1, type=click.UNPROCESSED)
    return command("update", run, CONTAINER_ID, limits, ignore_unknown_options=True)
