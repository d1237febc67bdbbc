"""The process that `start` leaves: it serves the group's socket until it is told to shut down."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

from adapters.containerd.events import EventPublisher
from adapters.containerd.flags import ShimFlags
from adapters.containerd.reaper import Reaper
from adapters.containerd.service import SERVICES, TaskService
from adapters.containerd.start import LISTENER
from adapters.containerd.ttrpc.errors import RpcError
from adapters.containerd.ttrpc.server import Server
from adapters.containerd.ttrpc.services import ErrorMap
from adapters.containerd.ttrpc_codes import map_error
from domain.lifecycle import Lifecycle

Warn = Callable[[str], None]

_GRACE = 1.0  # seconds for answers in flight
_LAST_EVENTS = 2.0  # seconds; containerd waits three for a shim that is told to shut down
_PR_SET_CHILD_SUBREAPER = 36


class Log:
    """containerd's own log, by the FIFO `log` in the bundle; lines are lost while nobody reads."""

    def __init__(self, container: str) -> None:
        self._id = container
        with contextlib.suppress(OSError):
            # Open for both: neither does it wait for containerd, nor break when that restarts.
            log = os.open("log", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            os.dup2(log, 2)
            os.close(log)

    def write(self, level: str, text: str) -> None:
        """Write one line as containerd's shims do."""
        from json import dumps

        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"time={dumps(now)} level={level} msg={dumps(text)} shim=remoteproc id={self._id}\n"
        with contextlib.suppress(OSError):
            os.write(2, line.encode())

    def warn(self, text: str) -> None:
        """Write a warning."""
        self.write("warning", text)


def serve(call: ShimFlags, make_lifecycle: Callable[[Warn], Lifecycle]) -> None:
    """Serve until Shutdown or SIGTERM."""
    listener = socket.socket(fileno=LISTENER)
    listener.set_inheritable(False)
    log = Log(call.id)
    _become_subreaper()
    with open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write("containerd-shim")
    faulthandler.register(signal.SIGUSR1, file=2)
    publisher = EventPublisher(os.environ.get("TTRPC_ADDRESS", ""), call.namespace, log.warn)
    server = Server(map_error=_logging(log) if call.debug else map_error, same_user_only=True)
    service = TaskService(
        call.namespace,
        _once(lambda: make_lifecycle(log.warn)),
        publisher,
        Reaper(),
        lambda: server.shutdown(_GRACE),
        log.warn,
    )
    for name in SERVICES:
        server.register(name, service.handlers())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.shutdown(_GRACE))
    try:
        server.serve(listener)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(call.socket)
        publisher.drain(_LAST_EVENTS)


def _become_subreaper() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _logging(log: Log) -> ErrorMap:
    def mapped(error: Exception) -> RpcError | None:
        import traceback

        log.write("debug", "".join(traceback.format_exception(error)))
        return map_error(error)

    return mapped


def _once(make: Callable[[], Lifecycle]) -> Callable[[], Lifecycle]:
    """Make it at the first use that succeeds: a mistake in the configuration can be mended."""
    lock = threading.Lock()
    made: list[Lifecycle] = []

    def get() -> Lifecycle:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get
