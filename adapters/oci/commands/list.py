"""`list`: shows all containers."""

from __future__ import annotations

from adapters.oci import render
from adapters.oci.commands import CommandContext, show

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    import click


def run(context: CommandContext, form: str, quiet: bool) -> None:
    """List the containers under the state root."""
    rows = context.lifecycle.all()
    if quiet:
        show("\n".join(row.id for row in rows))
    elif form == "json":
        show(render.as_json([render.state(row) for row in rows]))
    else:
        show(render.containers(rows))


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import FORMAT, command

    quiet = click.Option(["--quiet", "-q"], is_flag=True, help="Show ids only.")
    return command("list", run, FORMAT, quiet)
