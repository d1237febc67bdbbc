"""What the kubelet asks of a device plugin about one resource (service v1beta1.DevicePlugin).

Nothing is remembered between two calls: the kubelet calls `Allocate` twice with one id for an init
container and a main container, and never again after its own restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import grpc

from adapters.kubernetes.api import deviceplugin_pb2 as api
from adapters.kubernetes.kept_socket import method
from adapters.kubernetes.node_watch import NodeWatch
from domain.errors import RemoteprocError
from domain.mounts import ALLOCATION_PLACE
from domain.offers import prefer
from domain.ports import Allocations

VERSION = "v1beta1"
OPTIONS = api.DevicePluginOptions(pre_start_required=True, get_preferred_allocation_available=True)

_SERVICE = "v1beta1.DevicePlugin"
_FREE_WITHIN = 20.0  # seconds; the kubelet ends PreStartContainer after 30
_LISTEN = 1.0  # seconds after which a stream looks whether the kubelet is still there


class DevicePluginService:
    """Answers the kubelet's calls about one resource, in the threads of a gRPC server."""

    def __init__(
        self,
        resource: str,
        watch: NodeWatch,
        allocations: Allocations,
        ended: Callable[[], bool],
    ) -> None:
        self._resource = resource
        self._watch = watch
        self._allocations = allocations
        self._ended = ended

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for a gRPC server."""
        methods = {
            "GetDevicePluginOptions": method(self.options, api.Empty),
            "GetPreferredAllocation": method(self.prefer, api.PreferredAllocationRequest),
            "Allocate": method(self.allocate, api.AllocateRequest),
            "PreStartContainer": method(self.pre_start, api.PreStartContainerRequest),
            "ListAndWatch": grpc.unary_stream_rpc_method_handler(
                self.list_and_watch,
                request_deserializer=api.Empty.FromString,
                response_serializer=api.ListAndWatchResponse.SerializeToString,
            ),
        }
        return grpc.method_handlers_generic_handler(_SERVICE, methods)

    def options(self, _: api.Empty, __: grpc.ServicerContext) -> api.DevicePluginOptions:
        """Return which calls this plugin wants."""
        return OPTIONS

    def list_and_watch(
        self, _: api.Empty, context: grpc.ServicerContext
    ) -> Iterator[api.ListAndWatchResponse]:
        """Yield all processors of the resource, and all of them again at each change."""
        seen, told = self._watch.offers(self._resource), None
        while context.is_active() and not self._ended():
            devices = [(o.id, "Unhealthy" if o.trouble else "Healthy") for o in seen]
            if devices != told:
                told = devices
                yield api.ListAndWatchResponse(
                    devices=[api.Device(ID=name, health=health) for name, health in devices]
                )
            seen = self._watch.changed(self._resource, seen, _LISTEN)

    def prefer(
        self, request: api.PreferredAllocationRequest, _: grpc.ServicerContext
    ) -> api.PreferredAllocationResponse:
        """Prefer processors that are free at this moment: the kubelet gives what is preferred."""
        offers = self._watch.look().get(self._resource, [])
        asked = request.container_requests
        chosen = (
            prefer(offers, each.available_deviceIDs, each.must_include_deviceIDs)[
                : each.allocation_size
            ]
            for each in asked
        )
        return api.PreferredAllocationResponse(
            container_responses=[
                api.ContainerPreferredAllocationResponse(deviceIDs=ids) for ids in chosen
            ]
        )

    def allocate(
        self, request: api.AllocateRequest, context: grpc.ServicerContext
    ) -> api.AllocateResponse:
        """Say how a container is told its processor: by a mount, and by an annotation."""
        return api.AllocateResponse(
            container_responses=[
                self._told(self._only(each.devices_ids, context), context)
                for each in request.container_requests
            ]
        )

    def _told(self, name: str, context: grpc.ServicerContext) -> api.ContainerAllocateResponse:
        mount = api.Mount(
            container_path=ALLOCATION_PLACE, host_path=self._file(name, context), read_only=True
        )
        return api.ContainerAllocateResponse(mounts=[mount], annotations={"remoteproc.name": name})

    def pre_start(
        self, request: api.PreStartContainerRequest, context: grpc.ServicerContext
    ) -> api.PreStartContainerResponse:
        """Wait until the container's processor is free, before each start of the container.

        The container that has just ended, or that of another pod, may still be giving it back.
        """
        name = self._only(request.devices_ids, context)
        self._file(name, context)
        try:
            self._watch.wait_free(self._resource, name, _FREE_WITHIN)
        except RemoteprocError as error:
            _abort(context, grpc.StatusCode.UNAVAILABLE, str(error))
        return api.PreStartContainerResponse()

    def _file(self, name: str, context: grpc.ServicerContext) -> str:
        try:
            return self._allocations.publish(name)
        except RemoteprocError as error:
            _abort(context, grpc.StatusCode.INTERNAL, str(error))

    def _only(self, names: Sequence[str], context: grpc.ServicerContext) -> str:
        """Return the only processor that a container asks for, which this resource must have."""
        if len(names) != 1:
            _abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                f"a container asks for {len(names)} processors of {self._resource}, but firmware "
                "runs on one; request 1, and add a container for each further processor",
            )
        if names[0] not in [offer.id for offer in self._watch.offers(self._resource)]:
            _abort(
                context,
                grpc.StatusCode.NOT_FOUND,
                f"{self._resource} has no processor {names[0]}",
            )
        return names[0]


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, words: str) -> NoReturn:
    context.abort(code, words)
    raise AssertionError("abort raises")
