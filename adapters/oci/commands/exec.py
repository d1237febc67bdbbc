"""`exec`: answers a built-in command of a container."""

from __future__ import annotations

import os
import sys

from adapters.oci.commands import CommandContext, write_pid_file

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from domain.builtin_exec import ExecResult


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

    Firmware has no programs. There are status, printed TEXT, printed-within SECONDS, logs, trace,
    resource-table, firmware, exit N and help; status fails unless the firmware runs. They may be
    joined as in sh -c "status && printed ready || exit 1". Any other command exits 127; what is
    not understood exits 2.
    """
    if process is not None:
        from adapters.oci.bundle import read_process

        words, wants = read_process(process)
        tty = tty or wants
    result = context.lifecycle.exec(container_id, words)
    if not detach and console_socket is None:
        return _show(result)  # on this process's stdio, a terminal or not
    from adapters.oci.terminal import new_terminal

    with new_terminal(tty or console_socket is not None, console_socket, raw=False) as terminal:
        if terminal is not None and console_socket is not None:
            terminal.send(console_socket)
        pid = _show_in_child(result, terminal.slave if terminal else None)
        write_pid_file(pid_file, pid)
    return 0 if detach else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _show(result: ExecResult) -> int:
    """Write the output of the built-in command; return its exit code."""
    for stream, data in ((sys.stdout, result.out), (sys.stderr, result.err)):
        stream.buffer.write(data)
        stream.flush()
    return result.code


def _show_in_child(result: ExecResult, stdio: int | None) -> int:
    """Show the result in a child process, whose stdio is that descriptor; return the child's pid.

    conmon wants a process whose end it can wait for.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        if stdio is not None:
            for number in range(3):
                os.dup2(stdio, number)
        code = _show(result)
    except OSError:
        pass  # the reader of the output has gone
    finally:
        os._exit(code)


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
