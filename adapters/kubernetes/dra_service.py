"""What the kubelet asks of a DRA driver: who it is, and to prepare claims for containers.

The driver remembers nothing: the API server says which processors a claim has, and the CDI files
say what is prepared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc

from adapters.kubernetes.api import dra_pb2 as dra
from adapters.kubernetes.api import pluginregistration_pb2 as registration
from adapters.kubernetes.cdi_files import CdiFiles
from adapters.kubernetes.cluster import Cluster
from adapters.kubernetes.kept_socket import method
from adapters.kubernetes.node_watch import NodeWatch
from adapters.kubernetes.resource_slice import device_name
from domain.errors import InvalidRequest, NotFound, RemoteprocError
from domain.offers import Offer
from domain.ports import Allocations

TYPE = "DRAPlugin"
VERSION = "v1.DRAPlugin"
_SERVICE = "k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"
_FREE_WITHIN = 20.0  # seconds for all claims of a call; the kubelet ends it after 45


class DraService:
    """Answers the kubelet's calls, in the threads of a gRPC server.

    `registered` is called with the kubelet's words on a failure, `` on success.
    """

    def __init__(
        self,
        driver: str,
        watch: NodeWatch,
        cluster: Cluster,
        cdi: CdiFiles,
        allocations: Allocations,
        registered: Callable[[str], None],
    ) -> None:
        self._driver = driver
        self._watch = watch
        self._cluster = cluster
        self._cdi = cdi
        self._allocations = allocations
        self._registered = registered

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Return both services for a gRPC server."""
        services = {
            "pluginregistration.Registration": {
                "GetInfo": method(self.info, registration.InfoRequest),
                "NotifyRegistrationStatus": method(self.told, registration.RegistrationStatus),
            },
            _SERVICE: {
                "NodePrepareResources": method(self.prepare, dra.NodePrepareResourcesRequest),
                "NodeUnprepareResources": method(self.unprepare, dra.NodeUnprepareResourcesRequest),
            },
        }
        return [
            grpc.method_handlers_generic_handler(name, methods)
            for name, methods in services.items()
        ]

    def info(
        self, _: registration.InfoRequest, __: grpc.ServicerContext
    ) -> registration.PluginInfo:
        """Say which driver this is; the kubelet calls it at the same socket."""
        return registration.PluginInfo(type=TYPE, name=self._driver, supported_versions=[VERSION])

    def told(
        self, status: registration.RegistrationStatus, _: grpc.ServicerContext
    ) -> registration.RegistrationStatusResponse:
        """Take the kubelet's word on the registration."""
        self._registered("" if status.plugin_registered else status.error or "unknown")
        return registration.RegistrationStatusResponse()

    def prepare(
        self, request: dra.NodePrepareResourcesRequest, _: grpc.ServicerContext
    ) -> dra.NodePrepareResourcesResponse:
        """Give each claim its processors, when these are free."""
        deadline = time.monotonic() + _FREE_WITHIN
        answer = dra.NodePrepareResourcesResponse()
        for claim in request.claims:
            try:
                devices = self._prepare(claim, deadline)
                answer.claims[claim.uid].devices.extend(devices)
            except RemoteprocError as error:
                answer.claims[claim.uid].error = str(error)
        return answer

    def unprepare(
        self, request: dra.NodeUnprepareResourcesRequest, _: grpc.ServicerContext
    ) -> dra.NodeUnprepareResourcesResponse:
        """Forget claims; those that are not known are forgotten already."""
        answer = dra.NodeUnprepareResourcesResponse()
        for claim in request.claims:
            answer.claims[claim.uid].SetInParent()
            try:
                self._cdi.remove(claim.uid)
            except RemoteprocError as error:
                answer.claims[claim.uid].error = str(error)
        return answer

    def _prepare(self, claim: dra.Claim, deadline: float) -> list[dra.Device]:
        title = f"claim {claim.namespace}/{claim.name}"
        results = self._results(claim, title)
        files: dict[str, str] = {}
        offers = [self._offer(result["device"]) for result in results]
        for result, offer in zip(results, offers, strict=True):
            files[result["device"]] = self._allocations.publish(offer.id)
        if not self._cdi.has(claim.uid, files):  # else its containers may run already
            for offer in offers:
                left = max(deadline - time.monotonic(), 0.0)
                self._watch.wait_free(offer.resource, offer.id, left)
            self._cdi.write(claim.uid, files)
        return [
            dra.Device(
                request_names=[result["request"].partition("/")[0]],
                pool_name=result["pool"],
                device_name=result["device"],
                cdi_device_ids=[self._cdi.device_id(claim.uid, result["device"])],
            )
            for result in results
        ]

    def _results(self, claim: dra.Claim, title: str) -> list[dict[str, Any]]:
        """Return what the scheduler has allocated to the claim of this driver's processors."""
        found = self._cluster.claim(claim.namespace, claim.name)
        if found["metadata"]["uid"] != claim.uid:
            raise NotFound(f"{title} is another one now", hint="delete the pod")
        allocation = (found.get("status") or {}).get("allocation") or {}
        every = (allocation.get("devices") or {}).get("results") or []
        results = [result for result in every if result["driver"] == self._driver]
        if not results:
            raise NotFound(f"{title} has no processor of {self._driver} allocated")
        requests = [result["request"] for result in results]
        for request in requests:
            if requests.count(request) > 1:
                raise InvalidRequest(
                    f"request {request} of {title} is for {requests.count(request)} processors, "
                    "but firmware runs on one",
                    hint="write count: 1, and a request and a container for each processor",
                )
        return results

    def _offer(self, device: str) -> Offer:
        for offers in self._watch.look().values():
            for offer in offers:
                if device_name(offer.id) == device:
                    return offer
        raise NotFound(f"this node has no processor {device}")
