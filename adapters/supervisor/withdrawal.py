"""The two mount namespaces into which a supervisor withdraws once its firmware runs.

One has the container's root file system and nothing else: the main thread's. The other one has the
few places that the supervising thread still uses, read-only where it only reads. A helper thread
makes both before the start, since making them takes a millisecond, in which firmware might end; to
enter one is a single system call.
"""

from __future__ import annotations

import os
import stat
from _thread import allocate_lock, start_new_thread
from errno import EAGAIN, EBADF, EIO, ENOENT

from adapters.linux import libc
from adapters.linux.view import MOUNT_POINT, Place, enter_view, open_namespace, unshare_mounts

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Withdrawal:
    """Both namespaces; `rootfs` is the container's root file system.

    It is to be made in the mount namespace in which the engine has mounted that. `proc`: mount
    /proc in the container, where `podman top` looks; as other runtimes do, make the directory.
    """

    def __init__(self, rootfs: str, *, proc: bool = False) -> None:
        self._proc = proc
        self._container = self._view = -1
        self._entered = False
        self._reopened: dict[int, int] = {}
        self._no_container = self._no_view = OSError(EIO, "nothing was prepared")
        self._no_tree: OSError | None = None
        self._tree = -1
        try:
            self._tree = _open_tree(rootfs, make_proc=proc)
        except OSError as error:
            self._no_tree = error

    def prepare(self, places: Iterable[Place]) -> None:
        """Make what the threads will enter; another call makes the view anew.

        This thread, and the main thread, stay where they are. What goes wrong is raised by
        `enter_container` and `enter_view`. No effect once these were called.
        """
        if self._entered:
            return
        self._drop_view()
        try:
            opened = _open_directories()
        except OSError as error:  # a directory that is not known cannot be opened again
            self._no_container = self._no_view = error
            return
        opened.pop(self._tree, None)  # it is nowhere, so nothing is above it
        shown = [*places, *(Place(path, writable=True) for path in opened.values())]
        ended = allocate_lock()
        ended.acquire()

        def work() -> None:
            try:
                self._make(shown, opened)
            finally:
                ended.release()

        try:
            start_new_thread(work, ())
        except RuntimeError:  # as where the container's limit of processes is one
            self._no_container = self._no_view = OSError(EAGAIN, os.strerror(EAGAIN))
            return
        ended.acquire()

    def enter_container(self) -> None:
        """Move this thread to the container's root file system. Raises OSError."""
        if self._container < 0:
            raise self._no_container
        libc.setns(self._container, libc.CLONE_NEWNS)
        os.close(self._container)
        self._container, self._entered = -1, True

    def enter_view(self) -> None:
        """Leave this thread, and all directories that are open, only the places. Raises OSError."""
        if self._view < 0:
            raise self._no_view
        libc.setns(self._view, libc.CLONE_NEWNS)
        for descriptor, reopened in self._reopened.items():
            os.dup2(reopened, descriptor, inheritable=False)
        self._drop_view()

    def _drop_view(self) -> None:
        while self._reopened:
            os.close(self._reopened.popitem()[1])
        if self._view >= 0:
            os.close(self._view)
            self._view = -1

    def _make(self, places: Iterable[Place], opened: Mapping[int, str]) -> None:
        thread = -1
        try:
            thread = os.open("/proc/thread-self", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            unshare_mounts()
        except OSError as error:
            self._no_container = self._no_view = error
        else:
            self._no_view = _attempt(lambda: self._make_view(places, opened, thread))
            if self._container < 0:
                # From the view, if there is one, so that the host's mounts are copied only once.
                self._no_container = _attempt(lambda: self._make_container(thread))
        finally:
            if thread >= 0:
                os.close(thread)

    def _make_view(self, places: Iterable[Place], opened: Mapping[int, str], thread: int) -> None:
        before = {descriptor: os.fstat(descriptor) for descriptor in opened}
        enter_view(places)
        for descriptor, path in opened.items():
            self._reopened[descriptor] = again = os.open(
                path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            )
            if not os.path.samestat(before[descriptor], os.fstat(again)):
                raise OSError(EIO, f"{path} is another directory")
        self._view = open_namespace(thread)

    def _make_container(self, thread: int) -> None:
        if self._no_tree:
            raise self._no_tree
        unshare_mounts()
        libc.move_mount(self._tree, MOUNT_POINT)
        libc.mount("", MOUNT_POINT, "", libc.MS_REC | libc.MS_SLAVE)
        libc.enter_root(MOUNT_POINT)
        if self._proc:
            _mount_proc()
        self._container = open_namespace(thread)
        os.close(self._tree)
        self._tree = -1


def _attempt(make: Callable[[], None]) -> OSError:
    """Return the error of `make`; if there was none, one that nobody will raise."""
    try:
        make()
    except OSError as error:
        return error
    return OSError(EIO, "it is made")


def _open_directories() -> dict[int, str]:
    """Return the paths of the directories that this process has open, by their descriptors.

    Raises OSError.
    """
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISDIR(os.fstat(int(name)).st_mode):
                found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError as error:
            if error.errno not in (EBADF, ENOENT):  # which the listing's own descriptor gives
                raise
    return found


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
