"""What other processes see of a supervisor: its container's files, not the host's.

A process shows the root directory, the working directory and the mount namespace of its main thread
(proc(5)): engines that copy files from and to a running container go there. So the main thread of a
supervisor does no work. It moves to the container's root file system, in a mount namespace of its
own, and a second thread, which keeps the host's, supervises.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from errno import EAGAIN

from adapters.linux import libc

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

_MOUNT_POINT = "/sys"  # it exists everywhere, and nothing else is needed of it here


class Front:
    """The main thread of a supervisor. `rootfs` is the container's root file system.

    It is to be made in the mount namespace in which the engine has mounted that. `proc`: mount
    /proc in the container, where `podman top` looks; as other runtimes do, make the directory.
    """

    def __init__(self, rootfs: str, *, proc: bool = False) -> None:
        self._proc = proc
        self._asked, self._answered = allocate_lock(), allocate_lock()
        self._asked.acquire()
        self._answered.acquire()
        self._give_up: Callable[[], None] = lambda: None
        self._error: OSError | None = None
        self._served = False
        try:
            self._rootfs = _open_tree(rootfs, make_proc=proc)
        except OSError as error:
            self._error = error

    def serve(self, work: Callable[[], int]) -> None:
        """Run `work` in another thread, and exit with what it returns."""
        self._served = True
        try:
            start_new_thread(_work, (work,))
        except RuntimeError:  # as where the container's limit of processes is one
            self._served = False
            os._exit(work())
        self._asked.acquire()
        try:
            if not self._error:
                _move(self._rootfs)
            if not self._error and self._proc:
                _mount_proc()
        except OSError as error:
            self._error = error
        try:
            self._give_up()
        except OSError as error:
            self._error = error
        self._answered.release()
        self._asked.acquire()  # for ever: the other thread ends the process

    def show_container(self, give_up: Callable[[], None]) -> None:
        """Let the main thread move to the container's files, then give up its rights.

        Raises OSError. It has given up its rights even if it could not move.
        """
        if not self._served:
            give_up()
            raise OSError(EAGAIN, os.strerror(EAGAIN))
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


def _open_tree(path: str, *, make_proc: bool) -> int:
    """Return a mount of a directory that is nowhere in the tree yet. Raises OSError.

    Nothing is made in an empty directory: there containerd has unmounted the root file system
    meanwhile, and would not remove the bundle if it found anything there.
    """
    tree = libc.open_tree(path)
    if make_proc and os.listdir(path):
        try:
            os.mkdir("proc", 0o555, dir_fd=tree)
        except OSError:
            pass  # there is one, or the file system is read-only
    return tree


def _mount_proc() -> None:
    flags = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
    try:
        libc.mount("proc", "/proc", "proc", flags)
    except OSError:
        pass  # the image has no such directory: only listing processes inside needs it


def _move(tree: int) -> None:
    """Move this thread to a mount namespace that has nothing but the tree."""
    libc.unshare(libc.CLONE_NEWNS)
    # As slaves, neither the place nor the tree passes anything on to the host's mounts.
    libc.mount("", "/", "", libc.MS_REC | libc.MS_SLAVE)
    libc.move_mount(tree, _MOUNT_POINT)
    os.close(tree)
    libc.mount("", _MOUNT_POINT, "", libc.MS_REC | libc.MS_SLAVE)
    libc.enter_root(_MOUNT_POINT)
