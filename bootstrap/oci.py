"""The program `remoteproc-runtime`."""

from __future__ import annotations

import gc
import os
import sys

from adapters.oci import quick
from adapters.oci.commands import Context
from adapters.oci.report import LogTarget, run
from bootstrap.settings import load_settings
from domain.lifecycle import Lifecycle


def make_lifecycle(config: str | None, root: str | None) -> Lifecycle:
    """Return the use cases, wired by hand: this program is run once an operation."""
    from bootstrap.direct import lifecycle

    return lifecycle(load_settings(config, root))


def main() -> None:
    """Run the command line and exit."""
    gc.disable()  # a short life with no cycles worth finding
    log = LogTarget()
    context = Context(make_lifecycle, log)
    call = quick.parse(sys.argv[1:])

    def command() -> object:
        if call is not None:
            return call.run(context)
        from adapters.oci.cli import cli

        return cli.main(obj=context, standalone_mode=False)

    code = run(command, log)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1  # nobody reads
    os._exit(code)  # taking the interpreter down in order costs milliseconds and gains nothing
