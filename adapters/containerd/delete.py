"""The action `delete`: containerd's call when the shim is gone. Nothing may stay behind."""

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


def delete(call: ShimFlags, lifecycle: Lifecycle) -> bytes:
    """Stop the processor, remove the container, tell how it ended."""
    bundle = os.path.abspath(call.bundle or ".")
    pid, exit_ = _delete(call.id, lifecycle)
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
            with contextlib.suppress(Exception):  # force, below, meets the same error and says it
                lifecycle.kill(container_id, SIGKILL)
        lifecycle.delete(container_id, force=True)
        return container.pid, container.exit or killed._replace(at=time.time())
    except NotFound:
        return 0, killed  # it had not been created, or was deleted already


def _remove_socket(bundle: str) -> None:
    with contextlib.suppress(OSError), open(f"{bundle}/address", encoding="utf-8") as file:
        remove_dead(file.read().strip().removeprefix("unix://"))
