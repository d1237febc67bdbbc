"""`run` without --detach: stands in the foreground for a container until it has ended."""

from __future__ import annotations

import contextlib
import signal

from domain.errors import WrongState
from domain.lifecycle import Lifecycle

_FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


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
