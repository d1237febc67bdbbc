"""The service `remoteproc-runtime dra-driver`: all processors of this node, by their attributes."""

from __future__ import annotations

from adapters.kubernetes.cdi_files import CdiFiles
from adapters.kubernetes.node_options import NodeOptions
from adapters.kubernetes.node_watch import NodeWatch
from adapters.kubernetes.resource_slice import devices
from adapters.kubernetes.service import serve
from domain.errors import InvalidRequest
from domain.ports import Allocations, DescribedBoard, Warn

_LONGEST = 63  # characters of a driver's name


class DraDriver:
    """Serves one socket, and publishes one slice, until it is told to end."""

    def __init__(
        self,
        options: NodeOptions,
        board: DescribedBoard,
        watch: NodeWatch,
        allocations: Allocations,
        say: Warn,
    ) -> None:
        # Whoever composes the programs may have neither gRPC nor Kubernetes' client.
        from adapters.kubernetes.cluster import Cluster
        from adapters.kubernetes.dra_service import DraService
        from adapters.kubernetes.kept_socket import KeptSocket
        from adapters.kubernetes.slice_publisher import SlicePublisher

        driver = options.domain
        if len(driver) > _LONGEST:
            raise InvalidRequest(
                f"domain {driver} is too long for a DRA driver: more than {_LONGEST} characters",
                hint="shorten `domain` of `kubernetes` in the configuration",
            )
        self._run_directory = options.run_directory
        self._board = board
        self._watch = watch
        self._say = say
        cluster = Cluster(options.kubeconfig)
        cdi = CdiFiles(options.cdi, driver)
        self._publisher = SlicePublisher(cluster, options.node, driver, say)
        service = DraService(driver, watch, cluster, cdi, allocations, self._registered)
        path = f"{options.directory}/{driver}-reg.sock"
        self._socket = KeptSocket(path, driver, service.handlers(), say)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises Busy if another service serves, HostFault.

        The slice remains: the kubelet removes it unless the service is there again soon.
        """
        serve(self._run_directory, self._look, self._close, self._socket.open)

    def _close(self) -> None:
        self._socket.close()

    def _look(self) -> None:
        offers = [offer for each in self._watch.look().values() for offer in each]
        self._publisher.look(devices(offers, self._board.traits()))

    def _registered(self, failure: str) -> None:
        if failure:
            self._say(f"the kubelet does not register the DRA driver: {failure}")
            return
        self._say("the DRA driver is registered with the kubelet")
        self._publisher.kubelet_came()
