"""What other processes see of a supervisor: its container's files, not the host's.

A process shows the root directory, the working directory and the mount namespace of its main thread
(proc(5)): engines that copy files from and to a running container go there. So the main thread of a
supervisor does no work. It moves to the container's root file system, in a mount namespace of its
own, and a second thread supervises. That one moves to a mount namespace which has only what it
still uses: others may look at each thread.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from errno import EAGAIN

from adapters.linux import libc

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.supervisor.withdrawal import Withdrawal


class Front:
    """The main thread of a supervisor; `withdrawal` has what the two threads enter."""

    def __init__(self, withdrawal: Withdrawal) -> None:
        self.withdrawal = withdrawal
        self._asked, self._answered = allocate_lock(), allocate_lock()
        self._asked.acquire()
        self._answered.acquire()
        self._give_up: Callable[[], None] = lambda: None
        self._error: OSError | None = None
        self._served = self._shown = False

    def serve(self, work: Callable[[], int]) -> None:
        """Run `work` in another thread, and exit with what it returns."""
        self._served = True
        try:
            start_new_thread(_work, (work,))
        except RuntimeError:  # as where the container's limit of processes is one
            self._served = False
            os._exit(work())
        self._asked.acquire()
        for step in (self.withdrawal.enter_container, self._give_up):
            try:
                step()
            except OSError as error:
                self._error = error
        self._answered.release()
        self._asked.acquire()  # for ever: the other thread ends the process

    def show_container(self, give_up: Callable[[], None]) -> None:
        """Let the main thread move to the container's files, then give up its rights.

        Raises OSError. It has given up its rights even if it could not move. Another call does
        nothing.
        """
        if not self._served:
            give_up()
            raise OSError(EAGAIN, os.strerror(EAGAIN))
        if self._shown:
            return
        self._shown = True
        self._give_up = give_up
        self._asked.release()
        self._answered.acquire()
        if self._error:
            raise self._error


def _work(work: Callable[[], int]) -> None:
    try:
        libc.unshare(libc.CLONE_FS)  # a root and a working directory apart from the main thread's
        os._exit(work())
    finally:
        os._exit(1)
