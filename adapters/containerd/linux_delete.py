"""The action `delete` for a Linux container whose shims may have died."""

from __future__ import annotations

import json

from adapters.containerd.api import task_pb2 as api
from adapters.containerd.delete import LINUX_MARK, socket_of
from adapters.containerd.linux_shim import PROGRAM, ShimPlace, connect, run_program
from adapters.containerd.sockets import remove_dead
from adapters.containerd.ttrpc.errors import RpcError
from adapters.linux.unix_sockets import is_served
from domain.errors import HostFault, host_fault
from domain.signals import SIGKILL

_WITHIN = 1.0  # seconds for each call; containerd gives 5 for all of this


def delete_linux(namespace: str, address: str, container_id: str, bundle: str) -> bytes:
    """Kill and remove a container of runc; return how it ended, as a DeleteResponse.

    Raises HostFault.
    """
    with open(f"{bundle}/{LINUX_MARK}", encoding="utf-8") as file:
        place = ShimPlace(**json.load(file))
    try:
        return _by_shim(place, container_id, bundle)
    except (RpcError, HostFault):
        answer = _by_program(namespace, address, container_id, bundle)
        remove_dead(place.address.removeprefix("unix://"))
        return answer


def _by_shim(place: ShimPlace, container_id: str, bundle: str) -> bytes:
    """Let the shim for runc, which may live on, do it; end it with its last container.

    As long as this project's shim lives, that one ends it: it may be starting another container
    there at this moment, and the address is the same for all of the pod.
    """
    from google.protobuf.empty_pb2 import Empty

    shim = connect(place)
    try:
        kill = api.KillRequest(id=container_id, signal=SIGKILL, all=True)
        try:
            shim.call("Kill", kill, Empty, _WITHIN)
        except RpcError:
            pass  # it has ended
        shim.call("Wait", api.WaitRequest(id=container_id), api.WaitResponse, _WITHIN)
        done = shim.call("Delete", api.DeleteRequest(id=container_id), api.DeleteResponse, _WITHIN)
        return done.SerializeToString()
    finally:
        if _pod_lives(bundle):
            shim.close()
        else:
            shim.end(container_id)


def _pod_lives(bundle: str) -> bool:
    """Return whether this project's shim lives; True also if that cannot be told."""
    try:
        path = socket_of(bundle)
    except OSError:
        return True
    return bool(path) and is_served(path)


def _by_program(namespace: str, address: str, container_id: str, bundle: str) -> bytes:
    try:
        done = run_program(namespace, address, container_id, bundle, "-bundle", bundle, "delete")
    except OSError as error:
        raise host_fault(f"cannot run {PROGRAM} to delete {container_id}", error) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise HostFault(f"{PROGRAM} does not delete {container_id}: {said}")
    return done.stdout
