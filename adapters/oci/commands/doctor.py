"""`doctor`: tells what is missing on this host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci import render
from adapters.oci.commands import CommandContext, show

if TYPE_CHECKING:
    import click


def run(context: CommandContext, as_json: bool) -> int:
    """Tell what this host lacks to run firmware, and what to do.

    Each row is ok, warn or fail. The exit code is 1 if a row fails. Nothing is changed, and nothing
    is written to a processor.
    """
    from domain.diagnosis.doctor import diagnose
    from domain.diagnosis.finding import FAIL

    findings = diagnose(context.host())
    if as_json:
        show(render.as_json([each._asdict() for each in findings]))
    else:
        show(render.table(("", "WHAT", "FOUND", "WHAT TO DO"), findings))
    return int(any(each.level == FAIL for each in findings))


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import command

    return command(
        "doctor", run, click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")
    )
