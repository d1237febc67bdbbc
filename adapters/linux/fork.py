"""Copies of this process: one that goes its own way, and one that has all that a fork shares."""

from __future__ import annotations

import gc
import os
import sys

from adapters.linux.files import close_all_but
from adapters.linux.light_signal import signal
from adapters.linux.spawn import spare_numbers

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_IGNORED = frozenset((signal.SIGPIPE, signal.SIGXFSZ))  # as by each interpreter that starts
_UNCATCHABLE = frozenset((signal.SIGKILL, signal.SIGSTOP))


def fork(
    work: Callable[[], object],
    environment: Mapping[str, str],
    descriptors: Mapping[int, int | None],
) -> int:
    """Run `work` in a copy of this process, and return the copy's pid. Raises OSError.

    This process must have one thread only. Nothing else of its state reaches `work`: the copy leads
    a new session, has the environment, the descriptors and the signal actions that
    `adapters.linux.spawn.spawn` would give to a program, and collects garbage. It ends by os._exit,
    so that nothing that this process has buffered is written twice; with 1, if `work` returns or
    raises.
    """
    return bare_fork(lambda: _run(work, environment, descriptors))


def bare_fork(work: Callable[[], object]) -> int:
    """Run `work` in a copy of this process, and return the copy's pid. Raises OSError.

    The copy shares all that a fork shares, and gets no signal before `work` unblocks it. It ends
    with 1 if `work` returns or raises. A process with threads may call this if `work` imports
    nothing, takes no lock, and soon ends or executes a program.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(1)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pid


def prepare_to_execute(descriptors: Mapping[int, int | None]) -> None:
    """Give this copy a process group, and the descriptors and signals that a program begins with.

    `descriptors` are those of adapters.linux.spawn.spawn.
    """
    os.setpgid(0, 0)
    take_descriptors(descriptors)
    signal.set_wakeup_fd(-1)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _run(
    work: Callable[[], object],
    environment: Mapping[str, str],
    descriptors: Mapping[int, int | None],
) -> None:
    """Set right what the copy has inherited, and work.

    The frames of the callers stay, and with them all their objects: none of these can close a
    descriptor's number that means another file by now. The garbage collector leaves them alone.
    """
    try:
        gc.freeze()
        gc.enable()
        os.setsid()
        take_descriptors(descriptors)
        os.environ.clear()
        os.environ.update(environment)
        # The caller's directory, too, may be in the path: it is not the copy's to import from.
        sys.path[:] = [entry for entry in sys.path if os.path.isabs(entry)]
        _reset_signals()
        work()
    except Exception:
        import traceback

        traceback.print_exc()


def take_descriptors(descriptors: Mapping[int, int | None]) -> None:
    """Move each descriptor to its number, as adapters.linux.spawn does, and close all others."""
    copies = spare_numbers(descriptors)
    for number, copy in copies.items():
        given = descriptors[number]
        os.dup2(os.open(os.devnull, os.O_RDWR) if given is None else given, copy)
    for number, copy in copies.items():
        os.dup2(copy, number)
    close_all_but(descriptors)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - _UNCATCHABLE:
        signal.signal(number, signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
