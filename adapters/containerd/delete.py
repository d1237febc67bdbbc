"""The action `delete`, which containerd calls when the shim is gone: it removes what remains."""

from __future__ import annotations

import contextlib
import os
import time

from adapters.containerd.api.task_pb2 import DeleteResponse
from adapters.containerd.flags import ShimFlags
from adapters.containerd.mounts import unmount_all
from adapters.containerd.sockets import remove_dead
from adapters.containerd.times import timestamp
from domain.container import EXIT_KILLED, Exit
from domain.errors import NotFound
from domain.lifecycle import Lifecycle
from domain.signals import SIGKILL


def delete(flags: ShimFlags, lifecycle: Lifecycle) -> bytes:
    """Stop the processor and remove the container; return how it ended, as a DeleteResponse."""
    bundle = os.path.abspath(flags.bundle or ".")
    pid, exit_ = _delete(flags.id, lifecycle)
    unmount_all(f"{bundle}/rootfs")
    _remove_socket(bundle)
    return DeleteResponse(
        pid=pid, exit_status=exit_.status, exited_at=timestamp(exit_.at)
    ).SerializeToString()


def _delete(container_id: str, lifecycle: Lifecycle) -> tuple[int, Exit]:
    killed = Exit(EXIT_KILLED, time.time())
    try:
        container = lifecycle.state(container_id)
        if container.exit is None:
            with contextlib.suppress(Exception):  # the forced delete below raises the same error
                lifecycle.kill(container_id, SIGKILL)
        lifecycle.delete(container_id, force=True)
        return container.pid, container.exit or killed._replace(at=time.time())
    except NotFound:
        return 0, killed  # the container was not created, or is deleted already


def _remove_socket(bundle: str) -> None:
    with contextlib.suppress(OSError), open(f"{bundle}/address", encoding="utf-8") as file:
        remove_dead(file.read().strip().removeprefix("unix://"))
