"""The process that `start` leaves: it serves the group's socket until Shutdown or a signal."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import socket

from adapters.containerd.events import EventPublisher
from adapters.containerd.exec_service import ExecService
from adapters.containerd.methods import SERVICES, task_methods
from adapters.containerd.service import GRACE, TaskService
from adapters.containerd.shim_log import ShimLog
from adapters.containerd.start import LISTENER
from adapters.containerd.task_queries import TaskQueries
from adapters.containerd.ttrpc.errors import RpcError
from adapters.containerd.ttrpc.server import Server
from adapters.containerd.ttrpc.services import ErrorMap
from adapters.containerd.ttrpc_codes import map_error
from adapters.linux.libc import become_subreaper
from adapters.linux.process import set_name

_LAST_EVENTS = 2.0  # seconds; containerd waits three seconds for a shim that it has shut down


def register(
    server: Server, service: TaskService, queries: TaskQueries, execs: ExecService
) -> None:
    """Let the server answer the methods of all versions of the task service."""
    methods = task_methods(service, queries, execs)
    for name in SERVICES:
        server.register(name, methods)


def prepare_process() -> None:
    """Make this process what a shim is to the kernel: the parent of orphans, with a shim's name."""
    become_subreaper()
    set_name("containerd-shim")
    faulthandler.register(signal.SIGUSR1, file=2)


def run(path: str, server: Server, publisher: EventPublisher) -> None:
    """Serve the socket that `start` bound to `path`; at the end remove it and send the events."""
    signal.set_wakeup_fd(server.wakeup_fd, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.shutdown(GRACE))
    listener = socket.socket(fileno=LISTENER)
    listener.set_inheritable(False)
    try:
        server.serve(listener)
    finally:
        signal.set_wakeup_fd(-1)  # the server has closed that descriptor
        with contextlib.suppress(OSError):
            os.unlink(path)
        publisher.drain(_LAST_EVENTS)


def error_map(log: ShimLog, *, debug: bool) -> ErrorMap:
    """Return the map of exceptions to ttrpc's codes; with `debug` it logs each traceback."""

    def logged(error: Exception) -> RpcError:
        import traceback

        log.write("debug", "".join(traceback.format_exception(error)))
        return map_error(error)

    return logged if debug else map_error
