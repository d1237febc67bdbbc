"""Mounts a simulated board and serves it until a signal comes or a user unmounts it."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from adapters.sim.board_file import BoardSpec
from adapters.sim.fuse.fault_injection import LONGEST_DELAY
from adapters.sim.fuse.mountpoint import SOURCE, Mountpoint
from adapters.sim.fuse.operations import KernelTree
from adapters.sim.fuse.search import FirmwareSearch
from adapters.sim.fuse.tree import device_names, make_tree
from domain.errors import HostFault, InvalidRequest

if TYPE_CHECKING:
    from types import ModuleType

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(board: BoardSpec, path: str, ready: Callable[[], None]) -> None:
    """Mount the board under the root directory `path` and serve it; call `ready` once mounted.

    Returns, having unmounted and removed its directories, on SIGINT, SIGTERM or SIGHUP, or when
    a user unmounts it. Raises InvalidRequest, Busy, HostFault. A process may call this once, in
    its main thread.
    """
    _check(board)
    fuse = _load_fuse()
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)  # each new thread inherits the mask
    root = Mountpoint(path, device_names(board))
    try:
        _mount(fuse, board, root, ready)
    finally:
        root.close()


def _check(board: BoardSpec) -> None:
    for spec in board.processors:
        if spec.faults.start_delay > LONGEST_DELAY:
            raise InvalidRequest(
                f"{board.path}: start-delay of {spec.name} is over {LONGEST_DELAY:g} s, and no "
                "program can be killed while its start goes on",
                hint="make it shorter",
            )


def _load_fuse() -> ModuleType:
    if not os.path.exists("/dev/fuse"):
        raise HostFault(
            "/dev/fuse is missing, so no board can be mounted",
            hint="run `modprobe fuse`; in a container, give it --device /dev/fuse and "
            "--cap-add SYS_ADMIN",
        )
    # Without this, mfusepy loads libfuse2 where that is installed too.
    os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
    try:
        mfusepy = importlib.import_module("mfusepy")
    except ImportError as error:
        raise HostFault(
            f"mfusepy cannot be imported: {error}",
            hint="install it: pip install '.[sim]' in the checkout",
        ) from error
    except OSError as error:
        raise HostFault(
            f"libfuse is not installed: {error}", hint="install it (Debian: fuse3)"
        ) from error
    return mfusepy


def _mount(fuse: ModuleType, board: BoardSpec, root: Mountpoint, ready: Callable[[], None]) -> None:
    mounted = threading.Event()
    problem: list[str] = []
    library = fuse._libfuse
    interrupted = library.fuse_interrupted  # for the request of the calling thread
    nodes = make_tree(board, FirmwareSearch(root.path), lambda: interrupted() != 0)
    tree = KernelTree(nodes, mounted.set, partial(_PollHandle, library))
    options: dict[str, object] = {
        "fsname": SOURCE,
        "subtype": "sysfs",
        "default_permissions": True,
        "direct_io": True,
        "entry_timeout": 0,
        "attr_timeout": 0,
        "negative_timeout": 0,
        "allow_other": os.getuid() == 0,
        # Since 3.17, libfuse hears of no interrupt without it: a reader could not even be killed.
        "intr": (fuse.fuse_version_major, fuse.fuse_version_minor) >= (3, 17),
    }

    def loop() -> None:
        try:
            fuse.FUSE(tree, root.sys, foreground=True, **options)
        except Exception as error:
            problem.append(str(error))
        mounted.set()
        os.kill(os.getpid(), signal.SIGTERM)

    with _captured_stderr() as captured:
        threading.Thread(target=loop, name="fuse", daemon=True).start()
        mounted.wait()
    if not problem:
        ready()
        signal.sigwait(_STOP)
    if problem:
        words = " ".join(captured[0].split()) or f"libfuse gave up with code {problem[0]}"
        raise HostFault(
            f"cannot mount {root.sys}: {words}",
            hint="a user other than root needs fusermount3 (Debian: fuse3)",
        )


class _PollHandle:
    """Libfuse's handle of one poll(2) that waits; implements Waiter."""

    def __init__(self, library: ctypes.CDLL, handle: int) -> None:
        self._library = library
        self._handle = ctypes.c_void_p(handle)

    def notify(self) -> None:
        self._library.fuse_notify_poll(self._handle)
        self.forget()

    def forget(self) -> None:
        self._library.fuse_pollhandle_destroy(self._handle)


@contextmanager
def _captured_stderr() -> Iterator[list[str]]:
    """Capture what libfuse prints while it mounts: one of its warnings is wrong."""
    captured: list[str] = []
    sys.stderr.flush()
    stderr, kept = os.dup(2), os.memfd_create("stderr")
    os.dup2(kept, 2)
    try:
        yield captured
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        captured.append(os.pread(kept, 4096, 0).decode("utf-8", "replace"))
        os.close(kept)
