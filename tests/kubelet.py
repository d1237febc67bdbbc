"""Stands in for the kubelet towards device plugins, over real gRPC on Unix sockets.

It does what kubelet 1.36 was seen to do: it empties its directory when its server starts, which is
later than its process; it connects to a plugin while that registers; it asks for a preference for
one device, too, and obeys; it allocates once for an init container and again for the main one; and
it remembers, over its own restart, which pod has which device.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from adapters.kubernetes.api import deviceplugin_pb2 as api
from tests.waiting import wait_until


class Endpoint:
    """A plugin that has registered, and what it streams; `lists` are all lists so far."""

    def __init__(self, request, path):
        self.options = request.options
        self.lists: list[dict[str, str]] = []
        self.gone = False
        # As the kubelet, this waits until it is connected, while the plugin waits in Register.
        self.channel = grpc.insecure_channel(
            f"unix:{path}", options=(("grpc.use_local_subchannel_pool", 1),)
        )
        grpc.channel_ready_future(self.channel).result(5)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        stream = self.channel.unary_stream(
            "/v1beta1.DevicePlugin/ListAndWatch",
            request_serializer=api.Empty.SerializeToString,
            response_deserializer=api.ListAndWatchResponse.FromString,
        )
        try:
            for answer in stream(api.Empty()):
                self.lists.append({device.ID: device.health for device in answer.devices})
        except (grpc.RpcError, ValueError):
            pass
        self.gone = True

    def call(self, method, request, answer):
        """Make one call; raises grpc.RpcError."""
        call = self.channel.unary_unary(
            f"/v1beta1.DevicePlugin/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return call(request, timeout=30)


class Kubelet:
    """One kubelet; `directory` is that of its plugins, made if need be."""

    def __init__(self, directory):
        self.directory = directory
        self.endpoints: dict[str, Endpoint] = {}
        self.registrations: list[str] = []
        self.given: dict[str, list[str]] = {}  # by resource: what pods have; the checkpoint
        self._server = None

    def start(self):
        """Begin to serve: only now the directory is emptied."""
        os.makedirs(self.directory, exist_ok=True)
        for name in os.listdir(self.directory):
            os.unlink(f"{self.directory}/{name}")
        handler = grpc.method_handlers_generic_handler(
            "v1beta1.Registration",
            {
                "Register": grpc.unary_unary_rpc_method_handler(
                    self._register,
                    request_deserializer=api.RegisterRequest.FromString,
                    response_serializer=api.Empty.SerializeToString,
                )
            },
        )
        self._threads = ThreadPoolExecutor(8)
        self._server = grpc.server(self._threads, handlers=(handler,))
        self._server.add_insecure_port(f"unix:{self.directory}/kubelet.sock")
        self._server.start()

    def _register(self, request, context):
        assert request.version == "v1beta1" and "/" not in request.endpoint
        path = f"{self.directory}/{request.endpoint}"
        before = self.endpoints.get(request.resource_name)
        self.endpoints[request.resource_name] = Endpoint(request, path)
        if before:
            before.channel.close()
        self.registrations.append(request.resource_name)
        return api.Empty()

    def stop(self):
        """End the process: it knows no plugins any more, but what pods have."""
        if self._server:
            self._server.stop(0).wait()
            self._threads.shutdown()  # no plugin is registered after this
            self._server = None
        for endpoint in self.endpoints.values():
            endpoint.channel.close()
        self.endpoints = {}

    def devices(self, resource):
        """Return the health of each device of a resource, as last told; {} before that."""
        endpoint = self.endpoints.get(resource)
        return endpoint.lists[-1] if endpoint and endpoint.lists and not endpoint.gone else {}

    def wait(self, resource, devices, seconds=10.0):
        """Wait until the resource has these devices, by their health."""
        wait_until(lambda: self.devices(resource) == devices, seconds)

    def admit(self, resource):
        """Give a device to a new pod with an init container; return what both are told.

        Fails with AssertionError where the scheduler would leave the pod pending.
        """
        healthy = [n for n, health in self.devices(resource).items() if health == "Healthy"]
        free = [name for name in healthy if name not in self.given.get(resource, [])]
        assert free, f"Insufficient {resource}"
        endpoint = self.endpoints[resource]
        chosen = free[:1]
        if endpoint.options.get_preferred_allocation_available:
            wish = api.ContainerPreferredAllocationRequest(
                available_deviceIDs=free, allocation_size=1
            )
            answer = endpoint.call(
                "GetPreferredAllocation",
                api.PreferredAllocationRequest(container_requests=[wish]),
                api.PreferredAllocationResponse,
            )
            chosen = list(answer.container_responses[0].deviceIDs)
            assert len(chosen) == 1 and set(chosen) <= set(free), chosen
        init, main = (self.allocate(resource, chosen) for _ in range(2))
        assert init == main, "the same device, told alike"
        self.given.setdefault(resource, []).extend(chosen)
        return chosen[0], main

    def forget(self, resource):
        """Let other pods have all devices of a resource: the pods that had them have ended."""
        self.given.pop(resource, None)

    def allocate(self, resource, names):
        """Call Allocate for one container."""
        request = api.AllocateRequest(
            container_requests=[api.ContainerAllocateRequest(devices_ids=names)]
        )
        answer = self.endpoints[resource].call("Allocate", request, api.AllocateResponse)
        (told,) = answer.container_responses
        return told

    def pre_start(self, resource, name):
        """Call PreStartContainer, as before each start and restart."""
        assert self.endpoints[resource].options.pre_start_required
        request = api.PreStartContainerRequest(devices_ids=[name])
        self.endpoints[resource].call("PreStartContainer", request, api.PreStartContainerResponse)
