"""The Linux containers of a pod: containerd's shim for runc runs them, beside this shim.

This shim starts that one at the first Linux container, and passes on what containerd asks of such a
container. The other shim mounts the image, runs runc, opens the container's stdio, and sends the
events to containerd itself. It ends with its last container. If it dies, this shim ends, too:
containerd then cleans up the whole pod, as where a pod has one shim only.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from adapters.containerd.api import task_pb2 as api
from adapters.containerd.api.anys import holds, pack, unpack
from adapters.containerd.ttrpc.errors import Code, RpcError
from domain.errors import Unsupported
from domain.ports import Warn

if TYPE_CHECKING:
    from adapters.containerd.api.runc_options_pb2 import Options
    from adapters.containerd.linux_shim import LinuxShim

_ANSWERS: dict[str, type[Message]] = {
    "Start": api.StartResponse,
    "Delete": api.DeleteResponse,
    "State": api.StateResponse,
    "Wait": api.WaitResponse,
    "Pids": api.PidsResponse,
    "Stats": api.StatsResponse,
    "Connect": api.ConnectResponse,
}


class LinuxContainers:
    """All Linux containers of this shim; `lost(0)` is called if their shim has died."""

    def __init__(
        self, namespace: str, grpc_address: str, warn: Warn, lost: Callable[[float], None]
    ) -> None:
        self._namespace = namespace
        self._address = grpc_address
        self._warn = warn
        self._lost = lost
        self._ids: set[str] = set()
        self._shim: LinuxShim | None = None
        self._lock = threading.Lock()  # of `_ids` and `_shim`
        # Held while the shim is started, and while it ends: a start for the same pod would return
        # the shim that is ending.
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._ids)

    def has(self, container_id: str) -> bool:
        """Return whether this is the id of a Linux container."""
        return container_id in self._ids

    def create(self, request: api.CreateTaskRequest, document: Mapping[str, Any]) -> Message:
        """Let runc create a container, whose config.json says `document`.

        Raises RpcError, HostFault.
        """
        bundle = os.path.abspath(request.bundle)
        passed = api.CreateTaskRequest()
        passed.CopyFrom(request)
        options = _options(request, document)
        passed.options.CopyFrom(pack(options))
        with self._changing:
            annotations = document.get("annotations") or {}
            shim = self._shim or self._start(request.id, bundle, annotations, options.binary_name)
            with self._lock:
                self._ids.add(request.id)
        try:
            shim.mark(bundle)
            return shim.call("Create", passed, api.CreateTaskResponse)
        except BaseException:
            self._forget(request.id)
            raise

    def _start(
        self, container_id: str, bundle: str, annotations: Mapping[str, str], runc: str
    ) -> LinuxShim:
        from adapters.containerd.linux_shim import check_runc, start_shim  # most pods need neither

        check_runc(runc)
        place = (self._namespace, self._address, container_id, bundle, annotations)
        self._shim = start_shim(*place, self._warn, self._on_close)
        return self._shim

    def _on_close(self) -> None:
        """Forget a shim that has ended with its last container; all else is a loss."""
        with self._lock:
            self._shim = None
            lost = bool(self._ids)
        if lost:
            self._warn("the shim of the pod's Linux containers has died: this shim ends, too")
            self._lost(0.0)

    def pass_on(self, method: str, request: Message) -> Message | None:
        """Pass a request about a Linux container on; return the answer. Raises RpcError."""
        if method == "Checkpoint":
            raise Unsupported("containers beside firmware cannot be checkpointed")
        shim = self._shim
        if shim is None:
            raise RpcError(Code.UNAVAILABLE, "the shim of the pod's Linux containers has died")
        answer = shim.call(method, request, _ANSWERS.get(method, Empty))
        if isinstance(request, api.DeleteRequest) and not request.exec_id:
            self._forget(request.id)
        return answer if method in _ANSWERS else None

    def _forget(self, container_id: str) -> None:
        """Forget a container, and end the shim that has no other."""
        with self._changing:
            with self._lock:
                self._ids.discard(container_id)
                shim = self._shim
                if self._ids or shim is None:
                    return
                self._shim = None
            shim.end(container_id)


def _options(request: api.CreateTaskRequest, document: Mapping[str, Any]) -> Options:
    """Return runc's options: those that were given, and how the bundle names the control group."""
    from adapters.containerd.api.runc_options_pb2 import Options  # most pods never need it

    given = request.options
    options = unpack(given, Options) if holds(given, Options) else Options()
    linux = document.get("linux") or {}
    # systemd's way: SLICE:PREFIX:NAME; all else is a path.
    parts = str(linux.get("cgroupsPath", "")).split(":")
    options.systemd_cgroup = len(parts) == 3 and parts[0].endswith(".slice")
    return options
