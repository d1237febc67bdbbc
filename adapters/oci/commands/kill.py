"""`kill`: sends a signal to a container."""

from __future__ import annotations

from adapters.oci.commands import CommandContext

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    import click


def run(context: CommandContext, container_id: str, signal: str) -> None:
    """Send a signal: a name or a number (default TERM).

    TERM, INT, QUIT, RTMIN+3 and the image's own stop signal stop the processor. KILL stops it and
    ends the container with 137, and so do ILL, BUS, FPE and SEGV. Others are noted in the log.
    Returns when the processor is off.
    """
    from domain.signals import read_signal

    context.lifecycle.kill(container_id, read_signal(signal))


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import CONTAINER_ID, command, ignored

    return command(
        "kill",
        run,
        ignored("--all", "-a", is_flag=True),
        CONTAINER_ID,
        click.Argument(["signal"], default="TERM"),
    )
