"""The process that `start` leaves: it serves the group's socket until Shutdown or a signal."""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import socket

from adapters.containerd.events import EventPublisher
from adapters.containerd.exec_service import ExecService
from adapters.containerd.linux_containers import LinuxContainers
from adapters.containerd.methods import SERVICES, task_methods
from adapters.containerd.service import GRACE, TaskService
from adapters.containerd.shim_log import ShimLog
from adapters.containerd.sockets import remove
from adapters.containerd.start import LISTENER
from adapters.containerd.task_queries import TaskQueries
from adapters.containerd.ttrpc.errors import RpcError
from adapters.containerd.ttrpc.server import Server
from adapters.containerd.ttrpc.services import ErrorMap
from adapters.containerd.ttrpc_codes import map_error
from adapters.linux.libc import become_subreaper, forbid_inspection
from adapters.linux.process import forget_environment, privileged, set_name

_UNUSED = 8.0  # seconds; so a containerd that was killed finds none of these when it is back
_LAST_EVENTS = 2.0  # seconds; containerd waits three seconds for a shim that it has shut down


def register(
    server: Server,
    service: TaskService,
    queries: TaskQueries,
    execs: ExecService,
    linux: LinuxContainers,
) -> None:
    """Let the server answer the methods of all versions of the task service."""
    methods = task_methods(service, queries, execs, linux)
    for name in SERVICES:
        server.register(name, methods)
    # containerd connects at once, and stays connected; it cannot if it was killed, or if the action
    # `start` was, before it had said where the shim is.
    server.end_unused(service.unused, _UNUSED)


def prepare_process() -> None:
    """Make this process what a shim is to the kernel: the parent of orphans.

    What is inside it, and the environment that containerd gave it, is not for containers to see.
    """
    with contextlib.suppress(OSError):
        # QEMU's user mode refuses it. Orphans go to init then; how they ended is on record.
        become_subreaper()
    forget_environment()
    if privileged():
        forbid_inspection()
    faulthandler.register(signal.SIGUSR1, file=2)


def run(path: str, server: Server, publisher: EventPublisher) -> None:
    """Serve the socket that `start` bound to `path`; at the end remove it and send the events."""
    set_name("containerd-shim")
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
            remove(path)
        publisher.drain(_LAST_EVENTS)


def error_map(log: ShimLog, *, debug: bool) -> ErrorMap:
    """Return the map of exceptions to ttrpc's codes; with `debug` it logs each traceback."""

    def logged(error: Exception) -> RpcError:
        import traceback

        log.write("debug", "".join(traceback.format_exception(error)))
        return map_error(error)

    return logged if debug else map_error
