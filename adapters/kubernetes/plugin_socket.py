"""A device plugin's socket in the kubelet's directory, and its registration with the kubelet.

Whatever happens to the kubelet, its directory and the sockets, the plugin is registered again a
moment later.
"""

from __future__ import annotations

import os
from binascii import crc32

import grpc

from adapters.kubernetes.api import deviceplugin_pb2 as api
from adapters.kubernetes.device_plugin import OPTIONS, VERSION
from adapters.kubernetes.kept_socket import Identity, KeptSocket, identity
from domain.ports import Warn

_REGISTER = "/v1beta1.Registration/Register"
_ANSWER = 5.0  # seconds that the kubelet may take to answer
_LONGEST = 107  # bytes of a Unix socket's path
# A channel of its own each time: a shared one would wait ever longer after each failure.
_CHANNEL = (("grpc.use_local_subchannel_pool", 1),)


class PluginSocket(KeptSocket):
    """Serves one resource, and registers it with each kubelet and for each new socket."""

    def __init__(
        self, directory: str, resource: str, handler: grpc.GenericRpcHandler, say: Warn
    ) -> None:
        super().__init__(_path(directory, resource), resource, [handler], say)
        self._resource = resource
        self._kubelet = f"{directory}/kubelet.sock"
        self._registered: tuple[Identity | None, Identity] | None = None

    def _serving(self, socket: Identity | None) -> None:
        kubelet = identity(self._kubelet)
        if kubelet is None:
            self._trouble(f"there is no {self._kubelet}: waiting for the kubelet")
        elif self._registered != (socket, kubelet):
            try:
                self._register()
            except grpc.RpcError as error:
                self._trouble(f"the kubelet does not register it: {error.details()}: trying again")
                return
            self._registered = (socket, kubelet)
            self._trouble.over()
            self._say(f"{self._resource} is registered with the kubelet")

    def _register(self) -> None:
        request = api.RegisterRequest(
            version=VERSION,
            endpoint=os.path.basename(self._path),
            resource_name=self._resource,
            options=OPTIONS,
        )
        with grpc.insecure_channel(f"unix:{self._kubelet}", options=_CHANNEL) as channel:
            call = channel.unary_unary(
                _REGISTER,
                request_serializer=api.RegisterRequest.SerializeToString,
                response_deserializer=api.Empty.FromString,
            )
            call(request, timeout=_ANSWER)


def _path(directory: str, resource: str) -> str:
    """Return the socket's path, which is short enough, and another for each resource."""
    name = resource.replace("/", "-")
    if len(os.fsencode(f"{directory}/{name}.sock")) > _LONGEST:
        name = f"remoteproc-{crc32(resource.encode()):08x}"
    return f"{directory}/{name}.sock"
