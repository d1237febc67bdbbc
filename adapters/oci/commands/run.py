"""`run`: creates and starts a container, and stays in the foreground until it has ended."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext, create, write_pid_file
from domain.errors import WrongState
from domain.lifecycle import Lifecycle
from domain.stdio import Stdio

if TYPE_CHECKING:
    import click

_FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def run(
    context: CommandContext,
    container_id: str,
    bundle: str | None,
    pid_file: str | None,
    console_socket: str | None,
    detach: bool,
    keep: bool,
) -> int:
    """Run a container from its creation to its end; exit as it did.

    The container is deleted at the end.
    """
    lifecycle = context.lifecycle
    if detach or console_socket is not None:
        create.run(context, container_id, bundle, pid_file, console_socket)
        return _start(lifecycle, container_id, detach=detach, keep=keep)
    from adapters.oci.bundle import read_bundle

    if context.log.debug:
        create.say_what_is_ignored(os.path.abspath(context.bundle(bundle)))
    request = context.adapted(read_bundle(container_id, context.bundle(bundle)))
    with _stdio(request.terminal) as stdio:
        container = lifecycle.create(request, stdio)
        try:
            write_pid_file(pid_file, container.pid)
        except BaseException:
            lifecycle.delete(container_id, force=True)
            raise
        return _start(lifecycle, container_id, detach=False, keep=keep)


@contextlib.contextmanager
def _stdio(terminal: bool) -> Iterator[Stdio]:
    """Give the container this process's stdio; a terminal is in raw mode until the end."""
    if not terminal:
        yield Stdio(interactive=not os.isatty(0))
        return
    from adapters.oci.terminal import CurrentTerminal

    with CurrentTerminal():
        yield Stdio(interactive=True, terminal=True)


def _start(lifecycle: Lifecycle, container_id: str, *, detach: bool, keep: bool) -> int:
    """Start the container, or delete it if that fails; return the exit status."""
    try:
        lifecycle.start(container_id)
    except BaseException:
        lifecycle.delete(container_id, force=True)
        raise
    return 0 if detach else _wait(lifecycle, container_id, keep=keep)


def _wait(lifecycle: Lifecycle, container_id: str, *, keep: bool) -> int:
    """Forward signals, wait for the end, delete the container; return its exit status."""

    def forward(number: int, _: object) -> None:
        with contextlib.suppress(WrongState):  # the container has ended meanwhile
            lifecycle.kill(container_id, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    status = lifecycle.wait(container_id).status
    if not keep:
        lifecycle.delete(container_id)
    return status


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import CONTAINER_ID, PROCESS_OPTIONS, command

    return command(
        "run",
        run,
        *PROCESS_OPTIONS,
        click.Option(["--detach", "-d"], is_flag=True, help="Return when the firmware runs."),
        click.Option(
            ["--keep"], is_flag=True, help="Do not delete the container when it has ended."
        ),
        CONTAINER_ID,
    )
