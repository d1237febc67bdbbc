"""The program `remoteproc-runtime`."""

from __future__ import annotations

import gc
import os
import sys

from adapters.linux.files import open_stdio
from adapters.oci import fast_args
from adapters.oci.commands import CommandContext
from adapters.oci.exit_codes import LogTarget, run
from bootstrap.programs import (
    dra_driver_for,
    exporter_for,
    host_for,
    lifecycle_for,
    node_plugin_for,
)


def _open_stdio() -> None:
    """Open the stdio descriptors that the caller left closed, and Python's streams on them."""
    open_stdio()
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 -- open until the process ends
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def main() -> None:
    """Run the command line and exit."""
    _open_stdio()
    gc.disable()  # this process ends before there is anything worth collecting
    log = LogTarget()
    call = fast_args.parse(sys.argv[1:])
    context = CommandContext(
        lifecycle_for, host_for, log, node_plugin_for, exporter_for, dra_driver_for
    )

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
        code = code or 1  # the reader has gone
    os._exit(code)  # an orderly end of the interpreter costs milliseconds
