"""The program `remoteproc-runtime`."""

from __future__ import annotations

import sys

from adapters.oci.cli import Context, cli
from adapters.oci.report import LogTarget, run
from bootstrap.settings import load_settings
from domain.lifecycle import Lifecycle


def make_lifecycle(config: str | None, root: str | None) -> Lifecycle:
    """Return the use cases, wired by hand: this program is run once an operation."""
    from bootstrap.direct import lifecycle

    return lifecycle(load_settings(config, root))


def main() -> None:
    """Run the command line and exit."""
    log = LogTarget()
    context = Context(make_lifecycle, log)
    sys.exit(run(lambda: cli.main(obj=context, standalone_mode=False), log))
