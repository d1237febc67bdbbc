"""`exec`: answers a built-in command of a container."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext, write_pid_file

if TYPE_CHECKING:
    import click


def run(
    context: CommandContext,
    container_id: str,
    words: Sequence[str],
    process: str | None,
    pid_file: str | None,
    console_socket: str | None,
    detach: bool,
    tty: bool,
) -> int:
    """Ask about a container from inside, as health checks do.

    Firmware has no programs. There are status, logs, trace, resource-table, firmware and help;
    status fails unless the firmware runs. Any other command exits 127.
    """
    from adapters.oci import execute
    from adapters.oci.terminal import new_terminal

    if process is not None:
        from adapters.oci.bundle import read_process

        words, wants = read_process(process)
        tty = tty or wants
    work = execute.prepare(context.lifecycle, container_id, words)
    if not detach and console_socket is None:
        return work()  # on this process's stdio, a terminal or not
    with new_terminal(tty or console_socket is not None, console_socket, raw=False) as terminal:
        if terminal is not None and console_socket is not None:
            terminal.send(console_socket)
        pid = execute.detached(work, terminal.slave if terminal else None)
        write_pid_file(pid_file, pid)
    return 0 if detach else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import CONSOLE_SOCKET, CONTAINER_ID, PID_FILE, command, ignored

    return command(
        "exec",
        run,
        click.Option(
            ["--process", "-p"], metavar="FILE", help="A process object with args (JSON)."
        ),
        PID_FILE,
        CONSOLE_SOCKET,
        click.Option(["--detach", "-d"], is_flag=True, help="Do it in a process of its own."),
        click.Option(["--tty", "-t"], is_flag=True, help="Give it a terminal."),
        ignored("--cwd", metavar="DIR"),
        ignored("--env", "-e", metavar="NAME=VALUE", multiple=True),
        ignored("--user", "-u", metavar="UID"),
        ignored("--preserve-fds", metavar="N"),
        ignored("--no-new-privs", is_flag=True),
        ignored("--cap", "-c", metavar="CAP", multiple=True),
        ignored("--cgroup", metavar="PATH"),
        CONTAINER_ID,
        click.Argument(["words"], nargs=-1, metavar="COMMAND", type=click.UNPROCESSED),
        ignore_unknown_options=True,
        allow_interspersed_args=False,
    )
