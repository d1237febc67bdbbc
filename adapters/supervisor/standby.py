"""A supervisor in waiting: a process that becomes a supervisor when the shim creates a container.

The shim has threads, so it must not fork. It forks the standby while it has one thread only. The
standby imports what a supervisor needs, and waits for a request on a socket that only the shim and
the standby have. It keeps no state. It ends with the shim, or if no request comes for a while.

In a pod, whose shim has several containers, it leaves a successor: a helper forks that one and
ends. So the successor is a child of the shim, the subreaper of all of them, as the standby is.
"""

from __future__ import annotations

import contextlib
import os
import socket
from _thread import allocate_lock
from collections.abc import Callable, Mapping

from adapters.encoding.light_json import dumps, loads
from adapters.linux.fork import fork, take_descriptors
from adapters.linux.process import set_name, set_title
from adapters.supervisor.launch import StarterGone
from adapters.supervisor.start_supervisor import StartSupervisor

_SOCKET = 3  # the standby's descriptor of the socket to the shim
_WITHIN = 5.0  # seconds for an answer
_IDLE = 10.0  # seconds without a request after which the standby ends
_SIZE = 8  # bytes of an answer, a pid
_DESCRIPTORS_MAX = 16
_SETTINGS_MAX = 1 << 16  # bytes

Load = Callable[[], Callable[[], object]]


class Standby:
    """Starts supervisors by a standby; without one by `spawn`, which takes longer.

    `load` imports what a supervisor needs, and returns the function that the supervisor runs.
    """

    def __init__(self, load: Load, spawn: StartSupervisor) -> None:
        self._load = load
        self._spawn = spawn
        self._lock = allocate_lock()
        self._standby: socket.socket | None = None
        self._several = False

    def open(self) -> None:
        """Fork the standby. The caller has one thread only, and is a subreaper if it can be."""
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:
            return
        with theirs:
            try:
                _fork(lambda: _wait_for_shim(self._load), {}, theirs.fileno())
            except OSError:
                ours.close()
                return
        ours.settimeout(_WITHIN)
        self._standby = ours

    def begin(self, environment: Mapping[str, str], *, several: bool) -> None:
        """Say which environment supervisors get, and whether there will be several, as in a pod.

        From then on the standby ends if no request comes for a while.
        """
        self._several = several
        if self._standby is not None:
            with contextlib.suppress(OSError):
                self._standby.send(dumps([dict(environment), several]).encode())

    def start(self, container_id: str, descriptors: Mapping[int, int], /) -> int:
        """Start a supervisor; see StartSupervisor.

        Raises StarterGone if the standby has ended: the next call spawns, and so do all others.
        """
        with self._lock:
            if self._standby is None:
                return self._spawn(container_id, descriptors)
            answer = b""
            with contextlib.suppress(OSError):
                socket.send_fds(self._standby, [bytes(descriptors)], list(descriptors.values()))
                answer = self._standby.recv(_SIZE)
            if len(answer) != _SIZE or not self._several:
                self._standby.close()
                self._standby = None
        if len(answer) != _SIZE:
            raise StarterGone
        return int.from_bytes(answer, "little")


def _fork(work: Callable[[], object], environment: Mapping[str, str], shim: int) -> None:
    """Fork a standby with its end of the socket to the shim. Raises OSError."""
    fork(work, environment, {0: None, 1: None, 2: None, _SOCKET: shim})


def _wait_for_shim(load: Load) -> None:
    """Wait until the shim has containers, then for its requests."""
    set_name("rproc-standby")
    set_title("remoteproc-standby")
    main = load()
    shim = socket.socket(fileno=_SOCKET)
    if message := shim.recv(_SETTINGS_MAX):
        environment, several = loads(message)
        os.environ.update(environment)
        _wait(shim, main, several=several)


def _wait(shim: socket.socket, main: Callable[[], object], *, several: bool) -> None:
    """Wait for a request, and become its supervisor.

    A request is the numbers that the supervisor's descriptors, which come with it, are to have.
    """
    shim.settimeout(_IDLE)
    try:
        numbers, given, _, _ = socket.recv_fds(shim, _DESCRIPTORS_MAX, _DESCRIPTORS_MAX)
    except TimeoutError:
        return
    if not numbers:
        return
    if several:
        # Before the shim knows this process, and puts it into the container's control group: the
        # successor would be there, too, and the group could not be removed as long as it waits.
        _leave_successor(shim.fileno(), main)
    try:
        shim.send(os.getpid().to_bytes(_SIZE, "little"))
    except ConnectionError:
        return  # the shim has died
    take_descriptors(dict(zip(numbers, given, strict=True)))
    main()


def _leave_successor(shim: int, main: Callable[[], object]) -> None:
    """Let a helper fork the next standby. Where that fails, there will be none."""

    def work() -> None:
        set_name("rproc-standby")
        _wait(socket.socket(fileno=_SOCKET), main, several=True)

    with contextlib.suppress(OSError):
        helper = os.fork()
        if helper:
            os.waitpid(helper, 0)  # now the successor is the shim's child
            return
        try:
            _fork(work, dict(os.environ), shim)
        finally:
            os._exit(0)
