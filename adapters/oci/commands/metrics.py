"""`metrics`: shows the processors to Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext

if TYPE_CHECKING:
    import click


def run(context: CommandContext, listen: str, textfile: str | None) -> None:
    """Serve metrics of the processors in Prometheus' text format.

    A service of the host, to be run as the user who runs the containers: states and owners of
    processors, starts, crashes and refused starts by kind, and the time of the last start.
    Counters begin when the service does, and count containers that have their processor for a
    twentieth of a second.
    """
    from adapters.oci.host_service import run_service

    run_service(
        "metrics",
        "metrics",
        lambda: context.exporter(context.config, context.root),
        lambda exporter: exporter.write(textfile) if textfile else exporter.serve(listen),
    )


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import command

    return command(
        "metrics",
        run,
        click.Option(
            ["--listen"],
            metavar="HOST:PORT",
            default="127.0.0.1:9817",
            show_default=True,
            help="Where Prometheus asks.",
        ),
        click.Option(
            ["--textfile"],
            metavar="FILE",
            help="Instead, write this file for node_exporter every 15 seconds.",
        ),
    )
