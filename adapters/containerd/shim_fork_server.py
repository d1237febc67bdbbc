"""The fork server: a resident process with one thread, which forks shims for `start`.

A shim that starts as a program waits for an interpreter and for imports, and has all that in memory
for itself. The server has imported it before, and its children share the memory. It always has one
spare shim, to which the next caller connects.

The server keeps no state. It is found only by callers that are as it is: of the same user, version,
namespaces, control groups, limits, and whatever else a copy of it would have from it. It ends when
files of its code were replaced, or when it has no shim and no caller has come for a while.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from socket import AF_UNIX, SOCK_SEQPACKET, socket, socketpair

from adapters.containerd.flags import NAME
from adapters.containerd.shim_fork_client import name_for
from adapters.containerd.sockets import listen
from adapters.containerd.spare_shim import (
    CALLERS,
    SERVER,
    STALE,
    TAKEN,
    PrepareShim,
    wait_for_caller,
)
from adapters.containerd.start import LISTENER
from adapters.linux.directories import open_private, private_directory
from adapters.linux.fork import fork
from adapters.linux.process import set_name, set_title
from adapters.linux.process_tree import children
from adapters.linux.traits import traits
from adapters.linux.unix_sockets import address_in
from domain.errors import RemoteprocError

_SOURCES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_STDIO: dict[int, int | None] = {0: None, 1: None, 2: None}
_IDLE = 60.0  # seconds without a caller after which a server that has no shim ends
# Seconds before the next spare is forked, unless a caller waits for it: the shim that is beginning
# has its container to start, for which somebody waits, and boards have few cores.
_PAUSE = 0.1


class ShimForkServer:
    """Listens in the directory `path`, and forks shims, which `prepare` makes."""

    def __init__(self, path: str, prepare: PrepareShim) -> None:
        self._path = path
        self._prepare = prepare
        self._callers = socket(AF_UNIX, SOCK_SEQPACKET)
        self._name = ""
        self._directory = -1
        self._bound: os.stat_result | None = None
        self._code = self._code_state = ""

    def open(self) -> bool:
        """Listen. Return False if another server does so already, or if it cannot be done."""
        try:
            self._name = name_for(traits())
            private_directory(self._path)
            self._directory = open_private(self._path)
            bound = listen(address_in(self._directory, self._name), SOCK_SEQPACKET)
            if bound is None:
                return False
            self._callers = socket(fileno=bound.detach())
            self._bound = self._stat_socket()
        except (OSError, RemoteprocError):
            return False
        return True

    def fork_first(self, arguments: Sequence[str]) -> bool:
        """Fork the shim of the caller that started this process; return whether that was done.

        It has the caller's arguments, socket and directory.
        """
        gc.collect()
        gc.freeze()  # children share the memory of what is loaded by now
        try:
            work = partial(_run_first, self._prepare, arguments)
            fork(work, dict(os.environ), {**_STDIO, LISTENER: LISTENER})
        except OSError:
            self._forget()
            return False
        os.close(LISTENER)
        return True

    def serve(self) -> None:
        """Fork shims until the end of this process."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no child waits to be reaped (wait(2))
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        os.chdir("/")
        set_name("rproc-forks")
        set_title("remoteproc-fork-server")
        self._code = _code_files()
        self._code_state = _state_of(self._code)
        while True:
            spare = self._fork_spare()
            if spare is None:
                continue
            pid, channel = spare
            with channel:  # a spare ends when this is closed
                said = self._wait_for(channel, pid)
            if said == STALE:
                self._end()
            elif said == TAKEN:
                _readable(self._callers, _PAUSE)
            else:
                time.sleep(_PAUSE)  # somebody kills the spares

    def _wait_for(self, channel: socket, pid: int) -> bytes:
        """Return what the spare says; nothing if it has ended.

        End when no caller has come for a while and there is no shim.
        """
        while not _readable(channel, _IDLE):
            if children(os.getpid()) == [pid]:
                self._end()
        try:
            return channel.recv(len(TAKEN))
        except OSError:
            return b""

    def _fork_spare(self) -> tuple[int, socket] | None:
        """Return the pid of a new spare and the socket to it; None if there can be none now."""
        try:
            ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
            with theirs:
                given = {LISTENER: None, CALLERS: self._callers.fileno(), SERVER: theirs.fileno()}
                work = partial(wait_for_caller, self._prepare, self._is_stale)
                return fork(work, dict(os.environ), {**_STDIO, **given}), ours
        except OSError:
            time.sleep(_PAUSE)
            return None

    def _is_stale(self) -> bool:
        return _state_of(self._code) != self._code_state

    def _end(self) -> None:
        self._forget()
        os._exit(0)

    def _forget(self) -> None:
        """Remove the socket, so that the next caller starts another server."""
        try:
            if self._bound and os.path.samestat(self._stat_socket(), self._bound):
                os.unlink(self._name, dir_fd=self._directory)
        except OSError:
            pass

    def _stat_socket(self) -> os.stat_result:
        return os.stat(self._name, dir_fd=self._directory, follow_symlinks=False)


def _run_first(prepare: PrepareShim, arguments: Sequence[str]) -> None:
    set_title(" ".join((NAME, *arguments)))
    prepare()(arguments)


def _readable(sock: socket, seconds: float) -> bool:
    """Wait until there is something to read, or to accept; return whether there is."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _code_files() -> str:
    """Return the paths of the files of this project's loaded code, a zero byte between them.

    As one text: a child that looked at hundreds of texts would copy all pages that have them.
    """
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    return chr(0).join(path for path in files if path.startswith(_SOURCES))


def _state_of(paths: str) -> str:
    """Return what changes when one of these files is replaced or edited."""
    return " ".join(map(_file_state, paths.split(chr(0))))


def _file_state(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"
