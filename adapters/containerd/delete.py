"""The action `delete`, which containerd calls when the shim is gone: it removes what remains."""

from __future__ import annotations

import os
import time

from adapters.containerd.protobuf_wire import message_field, number_field, timestamp
from adapters.linux.mountinfo import is_mount_point
from domain.container import EXIT_KILLED, Exit
from domain.errors import NotFound, RemoteprocError
from domain.signals import SIGKILL

LINUX_MARK = "linux-shim.json"
"""The file in a Linux container's bundle that says where its shim is."""

_INCOMPLETE = "@"  # with which the names of such containers' directories begin

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.containerd.flags import ShimFlags
    from domain.lifecycle import Lifecycle


def delete(flags: ShimFlags, records: str, lifecycle: Callable[[], Lifecycle]) -> bytes:
    """Stop the processor and remove the container; return how it ended, as a DeleteResponse.

    `records` is the directory of the namespace's containers. `lifecycle` takes long to import, and
    is not called if there is no such container, as when the shim has deleted it.
    """
    bundle = os.path.abspath(flags.bundle or ".")
    if _exists(f"{bundle}/{LINUX_MARK}"):
        from adapters.containerd.linux_delete import delete_linux

        answer = delete_linux(flags.namespace, flags.address, flags.id, bundle)
        _unmount(f"{bundle}/rootfs")
        return answer
    pid, exit_ = 0, Exit(EXIT_KILLED, time.time())
    if _exists(f"{records}/{flags.id}"):
        pid, exit_ = _delete(flags.id, lifecycle())
    _unmount(f"{bundle}/rootfs")
    _remove_socket(bundle)
    delete_orphans(records, os.path.dirname(bundle), lifecycle)
    return delete_response(pid, exit_)


def delete_orphans(records: str, bundles: str, lifecycle: Callable[[], Lifecycle]) -> None:
    """Stop and remove the containers that containerd knows no more: those whose bundle is gone.

    containerd removes a bundle from its directory `bundles` even if the action `delete` for it was
    killed. Also remove what killed processes have left of containers that never were complete.
    """
    try:
        for name in os.listdir(records):
            bundle = f"{bundles}/{name}"
            if name.startswith(_INCOMPLETE):
                lifecycle().reap_stale()
            elif not _exists(bundle):
                use_cases = lifecycle()
                if use_cases.state(name).bundle == bundle:
                    _delete(name, use_cases)
    except (OSError, RemoteprocError):
        pass  # the next shim that ends tries again


def _exists(path: str) -> bool:
    """Return whether there is such a file. Raises OSError if that cannot be told."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


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
        from adapters.containerd.mounts import unmount_all  # it takes long to import

        unmount_all(rootfs)


def _remove_socket(bundle: str) -> None:
    try:
        path = socket_of(bundle)
    except OSError:
        return
    if path:
        from adapters.containerd.sockets import remove_dead

        remove_dead(path)


def socket_of(bundle: str) -> str:
    """Return the socket of this project's shim, as `start` has noted it; "" for no note.

    Raises OSError.
    """
    try:
        with open(f"{bundle}/address", encoding="utf-8") as file:
            return file.read().strip().removeprefix("unix://")
    except FileNotFoundError:
        return ""
