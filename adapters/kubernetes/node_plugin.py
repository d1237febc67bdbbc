"""The service `remoteproc-runtime device-plugin`: all resources of this node."""

from __future__ import annotations

from adapters.kubernetes.node_options import NodeOptions
from adapters.kubernetes.node_watch import NodeWatch
from adapters.kubernetes.service import serve
from domain.errors import RemoteprocError
from domain.ports import Allocations, Warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from adapters.kubernetes.plugin_socket import PluginSocket


class NodePlugin:
    """Registers each resource as soon as the node has a processor of it."""

    def __init__(
        self,
        options: NodeOptions,
        watch: NodeWatch,
        allocations: Allocations,
        say: Warn,
    ) -> None:
        # Whoever composes the programs may have no gRPC.
        from adapters.kubernetes.device_plugin import DevicePluginService
        from adapters.kubernetes.plugin_socket import PluginSocket

        self._make_service = DevicePluginService
        self._make_socket = PluginSocket
        self._options = options
        self._watch = watch
        self._allocations = allocations
        self._say = say
        self._sockets: dict[str, PluginSocket] = {}

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises Busy if another service serves, HostFault."""
        serve(self._options.run_directory, self._look, self._close)

    def _close(self) -> None:
        for each in self._sockets.values():
            each.close()

    def _look(self) -> None:
        for resource, offers in self._watch.look().items():
            for offer in offers:
                self._publish(offer.id)
            if resource not in self._sockets:
                self._open(resource)

    def _publish(self, name: str) -> None:
        """Make the file that names a processor, before a container needs it: /run is empty at boot.

        The kubelet does not call `Allocate` again for the pods that it had before.
        """
        try:
            self._allocations.publish(name)
        except RemoteprocError as error:
            self._say(str(error))

    def _open(self, resource: str) -> None:
        service = self._make_service(
            resource, self._watch, self._allocations, lambda: self._sockets[resource].ended()
        )
        self._sockets[resource] = self._make_socket(
            self._options.directory, resource, service.handler(), self._say
        )
        self._sockets[resource].open()
