"""The shim's fork server: a process with one thread, which forks supervisors for the shim.

The shim has threads, so it must not fork itself. It forks the server while it has one thread only.
The server imports what a supervisor needs, and waits for requests on a socket that only the shim
and the server have. It keeps no state. It ends with the shim, or when no request has come for a
while: most shims have one container, for whose life the server must not take memory.

The server lets a helper fork the supervisor and end. So the supervisor becomes a child of the shim,
which is the subreaper of all of them, and learns of its end as of any child's.
"""

from __future__ import annotations

import contextlib
import os
import socket
from _thread import allocate_lock
from collections.abc import Callable, Mapping, Sequence

from adapters.linux.fork import fork
from adapters.linux.process import set_name, set_title
from adapters.supervisor.launch import StarterGone, StartSupervisor

_SOCKET = 3  # the server's descriptor of the socket to the shim
_WITHIN = 5.0  # seconds for an answer
_IDLE = 10.0  # seconds without a request after which the server ends
_SIZE = 8  # bytes of an answer: a pid, or an errno below zero
_DESCRIPTORS_MAX = 16
_EIO = 5


class ForkServer:
    """Starts supervisors by its server; without one by `spawn`, which takes longer.

    `load` imports what a supervisor needs, and returns the function that the supervisor runs in
    `environment`.
    """

    def __init__(
        self,
        load: Callable[[], Callable[[], object]],
        environment: Mapping[str, str],
        spawn: StartSupervisor,
    ) -> None:
        self._load = load
        self._environment = environment
        self._spawn = spawn
        self._lock = allocate_lock()
        self._server: socket.socket | None = None

    def open(self) -> None:
        """Start the server. The caller must have one thread only, and be a subreaper."""
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:
            return
        with theirs:
            try:
                fork(
                    lambda: _serve(self._load),
                    self._environment,
                    {0: None, 1: None, 2: None, _SOCKET: theirs.fileno()},
                )
            except OSError:
                ours.close()
                return
        ours.settimeout(_WITHIN)
        self._server = ours

    def start(self, container_id: str, descriptors: Mapping[int, int], /) -> int:
        """Start a supervisor; see StartSupervisor.

        Raises StarterGone if the server has ended: the next call spawns, and so do all others.
        """
        with self._lock:
            if self._server is None:
                return self._spawn(container_id, descriptors)
            answer = b""
            with contextlib.suppress(OSError):
                socket.send_fds(self._server, [bytes(descriptors)], list(descriptors.values()))
                answer = self._server.recv(_SIZE)
            if len(answer) != _SIZE:
                self._server.close()
                self._server = None
                raise StarterGone
        pid = int.from_bytes(answer, "little", signed=True)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid


def _serve(load: Callable[[], Callable[[], object]]) -> None:
    """Answer requests until the shim ends. A request is the numbers of the descriptors with it."""
    set_name("rproc-fork")
    set_title("remoteproc-fork-server")
    main = load()
    shim = socket.socket(fileno=_SOCKET)
    shim.settimeout(_IDLE)
    while True:
        try:
            numbers, given, _, _ = socket.recv_fds(shim, _DESCRIPTORS_MAX, _DESCRIPTORS_MAX)
        except TimeoutError:
            os._exit(0)
        if not numbers:
            os._exit(0)
        answer = _fork_orphan(main, numbers, given)
        for descriptor in given:
            os.close(descriptor)
        shim.send(_encode(answer))


def _fork_orphan(main: Callable[[], object], numbers: bytes, given: Sequence[int]) -> int:
    """Let a helper fork the supervisor; return the supervisor's pid, or an errno below zero."""
    try:
        reader, writer = os.pipe()
    except OSError as error:
        return -(error.errno or _EIO)
    try:
        helper = os.fork()
        if helper == 0:
            _help(main, dict(zip(numbers, given, strict=True)), writer)
    except OSError as error:
        os.close(writer)
        os.close(reader)
        return -(error.errno or _EIO)
    os.close(writer)
    answer = os.read(reader, _SIZE)
    os.close(reader)
    os.waitpid(helper, 0)  # now the supervisor is the shim's child
    if not answer:
        os._exit(1)  # the helper was killed: as if the server were
    return int.from_bytes(answer, "little", signed=True)


def _help(main: Callable[[], object], descriptors: Mapping[int, int], writer: int) -> None:
    """Fork the supervisor, tell the server, and end."""
    try:
        try:
            answer = fork(main, dict(os.environ), descriptors)
        except OSError as error:
            answer = -(error.errno or _EIO)
        os.write(writer, _encode(answer))
    finally:
        os._exit(0)


def _encode(answer: int) -> bytes:
    return answer.to_bytes(_SIZE, "little", signed=True)
