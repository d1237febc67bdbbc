"""`run`: starts what was created, and stands for it in the foreground until it has ended."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from domain.errors import WrongState
from domain.lifecycle import Lifecycle
from domain.ports import Stdio

_FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


@contextlib.contextmanager
def stdio(terminal: bool) -> Iterator[Stdio]:
    """Give the container what this process has; a terminal in raw mode until the end."""
    if not terminal:
        yield Stdio(interactive=not os.isatty(0))
        return
    from adapters.oci.terminal import current_terminal

    with current_terminal():
        yield Stdio(interactive=True, terminal=True)


def begin(lifecycle: Lifecycle, container_id: str, *, detach: bool, keep: bool) -> int:
    """Start a container, deleting it if that fails; unless detached, `stay`."""
    try:
        lifecycle.start(container_id)
    except BaseException:
        lifecycle.delete(container_id, force=True)
        raise
    return 0 if detach else stay(lifecycle, container_id, keep=keep)


def stay(lifecycle: Lifecycle, container_id: str, *, keep: bool) -> int:
    """Pass signals on, wait for the end, delete the container; return its exit status."""

    def forward(number: int, _: object) -> None:
        with contextlib.suppress(WrongState):  # it has ended meanwhile
            lifecycle.kill(container_id, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    status = lifecycle.wait(container_id).status
    if not keep:
        lifecycle.delete(container_id)
    return status
