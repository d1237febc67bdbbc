"""Threads with small stacks and without signals, and loops that no exception ends."""

from __future__ import annotations

import signal
import time
from _thread import allocate_lock, get_ident, stack_size, start_new_thread
from collections.abc import Callable

# Bytes of address space for the C stack of a thread, a quarter of the default. They are enough for
# protobuf and for the deepest recursion that the interpreter allows its C code (measured: JSON of
# 200,000 levels, which Python 3.13 refuses only after more than 1 MiB).
STACK_SIZE = 2 << 20

# Python runs handlers in the main thread, and the kernel may give a signal to any thread that takes
# it: a main thread that waits in a system call would go on waiting, and run no handler.
_FOR_THE_MAIN_THREAD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)

_AFTER_AN_ERROR = 1.0  # seconds until a loop whose step failed tries again

_lock = allocate_lock()


def start(target: Callable[[], None]) -> Thread:
    """Start a thread, which ends with the process at the latest.

    threading.Thread would wait until it runs, which takes up to a millisecond. Raises RuntimeError
    if the system gives no more threads.
    """
    thread = Thread(target)
    # The stack size is a setting of the whole process, so this function restores the old value.
    with _lock:
        before = stack_size(STACK_SIZE)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_MAIN_THREAD)  # it is inherited
        try:
            start_new_thread(thread.run, ())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            stack_size(before)
    return thread


class Thread:
    """What `start` has started."""

    def __init__(self, target: Callable[[], None]) -> None:
        self._target = target
        self._ident = 0
        self._ended = allocate_lock()
        self._ended.acquire()

    def join(self) -> None:
        """Wait until the thread has ended; within the thread itself, return at once."""
        if get_ident() != self._ident:
            with self._ended:
                pass

    def run(self) -> None:
        """Run the target. To be called in the new thread."""
        self._ident = get_ident()
        try:
            self._target()
        finally:
            self._ended.release()


def repeat(step: Callable[[], None], report: Callable[[Exception], None]) -> None:
    """Call `step` again and again. Never returns.

    For a thread whose end would go unnoticed: an exception of a step is given to `report`, and
    the loop goes on after a pause, even if `report` raises an exception.
    """
    while True:
        try:
            step()
        except Exception as error:
            try:
                report(error)
            except Exception:
                pass
            time.sleep(_AFTER_AN_ERROR)
