"""How a service of this node runs that offers processors to Kubernetes."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from adapters.linux.directories import private_directory
from adapters.linux.locks import lock_or_fail
from adapters.linux.termination import end_event
from domain.errors import Busy, host_fault

_LOOK = 0.5  # seconds between two looks at the processors


def serve(
    run_directory: str,
    look: Callable[[], None],
    close: Callable[[], None],
    open_: Callable[[], None] = lambda: None,
) -> None:
    """Open, look again and again until SIGTERM or SIGINT, then close.

    `run_directory` has the lock that a second service of this node finds: two would give out the
    same processors. Raises Busy then, and HostFault.
    """
    lock = _lock(run_directory)
    end = end_event()
    try:
        open_()
        look()
        _say_ready()
        while not end.wait(_LOOK):
            look()
    finally:
        close()
        os.close(lock)


def _lock(run_directory: str) -> int:
    private_directory(run_directory)
    path = f"{run_directory}/device-plugin.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        lock_or_fail(lock)
    except BlockingIOError:
        raise Busy(
            "another device plugin or DRA driver serves this node's processors",
            hint="look at them: systemctl status remoteproc-device-plugin remoteproc-dra-driver",
        ) from None
    except OSError as error:
        raise host_fault(f"cannot lock {path}", error) from error
    return lock


def _say_ready() -> None:
    """Tell systemd, if it has started this process, as sd_notify(3) says."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(b"READY=1", address.replace("@", "\0", 1) if address[0] == "@" else address)
