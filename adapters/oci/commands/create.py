"""`create`: creates a container from a bundle."""

from __future__ import annotations

import os
import sys

from adapters.oci.commands import CommandContext, write_pid_file

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    import click


def run(
    context: CommandContext,
    container_id: str,
    bundle: str | None,
    pid_file: str | None,
    console_socket: str | None,
) -> None:
    """Create a container from a bundle, and start nothing yet.

    Its stdin, if that is no terminal, feeds the firmware's console; the firmware's output goes to
    its stdout.
    """
    from adapters.oci.bundle import read_bundle
    from adapters.oci.terminal import new_terminal
    from domain.stdio import Stdio

    lifecycle, request = context.lifecycle, read_bundle(container_id, context.bundle(bundle))
    if context.log.debug:
        say_what_is_ignored(request.bundle)
    with new_terminal(request.terminal, console_socket, request.size) as terminal:
        # The container must not read from the terminal of the shell that called.
        stdio = Stdio(interactive=not os.isatty(0))
        if terminal is not None:
            at = terminal.slave
            stdio = Stdio(at, at, at, interactive=True, terminal=True)
        container = lifecycle.create(context.adapted(request), stdio)
        try:
            if terminal is not None and console_socket is not None:
                terminal.send(console_socket)
            write_pid_file(pid_file, container.pid)
        except BaseException:
            lifecycle.delete(container_id, force=True)
            raise


def say_what_is_ignored(bundle: str) -> None:
    """Name on stderr what the bundle asks for and firmware has no use for."""
    from adapters.oci.exit_codes import PROGRAM
    from adapters.oci.ignored import ignored_properties

    if names := ignored_properties(bundle):
        print(f"{PROGRAM}: ignored, since firmware has none: {', '.join(names)}", file=sys.stderr)


def command() -> click.Command:
    """Return the grammar."""
    from adapters.oci.options import CONTAINER_ID, PROCESS_OPTIONS, command

    return command("create", run, *PROCESS_OPTIONS, CONTAINER_ID)
