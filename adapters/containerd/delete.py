"""The action `delete`, which containerd calls when the shim is gone: it removes what remains."""

from __future__ import annotations

import os
import time

from adapters.containerd.protobuf_wire import message_field, number_field, timestamp
from adapters.linux.mountinfo import is_mount_point
from domain.container import EXIT_KILLED, Exit
from domain.errors import NotFound
from domain.signals import SIGKILL

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from adapters.containerd.flags import ShimFlags
    from domain.lifecycle import Lifecycle


def delete(flags: ShimFlags, lifecycle: Lifecycle) -> bytes:
    """Stop the processor and remove the container; return how it ended, as a DeleteResponse."""
    bundle = os.path.abspath(flags.bundle or ".")
    pid, exit_ = _delete(flags.id, lifecycle)
    _unmount(f"{bundle}/rootfs")
    _remove_socket(bundle)
    return delete_response(pid, exit_)


def delete_response(pid: int, exit_: Exit) -> bytes:
    """Return a containerd.task.v2.DeleteResponse; see adapters/containerd/api/task.proto."""
    at = message_field(3, timestamp(exit_.at))
    return number_field(1, pid) + number_field(2, exit_.status) + at


def _delete(container_id: str, lifecycle: Lifecycle) -> tuple[int, Exit]:
    killed = Exit(EXIT_KILLED, time.time())
    try:
        container = lifecycle.state(container_id)
        if container.exit is None:
            try:
                lifecycle.kill(container_id, SIGKILL)
            except Exception:
                pass  # the forced delete below raises the same error
        lifecycle.delete(container_id, force=True)
        return container.pid, container.exit or killed._replace(at=time.time())
    except NotFound:
        return 0, killed  # the container was not created, or is deleted already


def _unmount(rootfs: str) -> None:
    """Unmount what the shim has not unmounted. Raises HostFault."""
    if is_mount_point(rootfs):
        from adapters.containerd.mounts import unmount_all  # ctypes takes long to import

        unmount_all(rootfs)


def _remove_socket(bundle: str) -> None:
    try:
        with open(f"{bundle}/address", encoding="utf-8") as file:
            address = file.read()
    except OSError:
        return
    from adapters.containerd.sockets import remove_dead

    remove_dead(address.strip().removeprefix("unix://"))
