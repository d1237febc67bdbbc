"""The program `remoteproc-runtime`."""

from __future__ import annotations

import gc
import os
import sys

from adapters.linux.files import open_stdio
from adapters.oci import fast_args
from adapters.oci.commands import CommandContext
from adapters.oci.exit_codes import LogTarget, run
from bootstrap.settings import load_settings
from domain.lifecycle import Lifecycle


def _by_hand(config: str | None, root: str | None) -> Lifecycle:
    """Return the use cases for a call with a time budget."""
    from bootstrap.direct import lifecycle

    return lifecycle(load_settings(config, root))


def _by_container(config: str | None, root: str | None) -> Lifecycle:
    """Return the use cases for everything else."""
    from bootstrap.container import runtime_for

    lifecycle: Lifecycle = runtime_for(load_settings(config, root)).lifecycle()
    return lifecycle


def _open_stdio() -> None:
    """Open what the caller left closed, for Python's own streams, too."""
    open_stdio()
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 -- for as long as we live
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def main() -> None:
    """Run the command line and exit."""
    _open_stdio()
    gc.disable()  # a short life with no cycles worth finding
    log = LogTarget()
    call = fast_args.parse(sys.argv[1:])
    context = CommandContext(_by_hand if call else _by_container, log)

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
