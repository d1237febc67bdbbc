"""What the kubelet does, by hand: a small client of the Container Runtime Interface over gRPC.

Failed calls raise grpc.RpcError, with `code()` and `details()`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from tests.engines.process import wait_until

# Compiled from cri.proto as it is imported (grpcio-tools); found by sys.path, which has the root.
_messages, _services = grpc.protos_and_services("tests/engines/cri.proto")


class Pod:
    """A pod sandbox: its id and the configuration that each of its containers quotes."""

    def __init__(self, pod_id: str, config: Any) -> None:
        self.id = pod_id
        self.config = config


class Cri:
    """A connection to a CRI socket. `pb` has the messages and enums of cri.proto."""

    pb: Any = _messages

    def __init__(self, socket: str) -> None:
        self._channel = grpc.insecure_channel(f"unix://{socket}")
        self.runtime: Any = _services.RuntimeServiceStub(self._channel)
        self.images: Any = _services.ImageServiceStub(self._channel)
        # The socket is there before the service behind it is.
        assert wait_until(self._serves, 10), "containerd's CRI does not come up"

    def _serves(self) -> bool:
        try:
            self.runtime.ListPodSandbox(self.pb.Empty(), timeout=5)
        except grpc.RpcError:
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def run_pod(
        self,
        name: str,
        log_directory: str,
        handler: str,
        annotations: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Pod:
        """Start a pod in the host's network (there is no CNI here)."""
        pb = self.pb
        options = pb.NamespaceOption(network=pb.NODE, pid=pb.CONTAINER)
        config = pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name=name, uid=f"uid-{name}", namespace="default"),
            log_directory=log_directory,
            annotations=annotations or {},
            linux=pb.LinuxPodSandboxConfig(
                security_context=pb.LinuxSandboxSecurityContext(namespace_options=options)
            ),
        )
        request = pb.RunPodSandboxRequest(config=config, runtime_handler=handler)
        return Pod(self.runtime.RunPodSandbox(request, timeout=timeout).pod_sandbox_id, config)

    def create(
        self,
        pod: Pod,
        name: str,
        image: str,
        args: Sequence[str] = (),
        command: Sequence[str] = (),
        annotations: Mapping[str, str] | None = None,
        attempt: int = 0,
        timeout: float = 30,
        mounts: Mapping[str, str] | None = None,
        told: Any = None,
        devices: Sequence[str] = (),
    ) -> str:
        """Create a container, logging to NAME.log in the pod's log directory; returns its id.

        `mounts`: paths of the host, by the container's paths where they are mounted. `told`: a
        device plugin's answer to Allocate, `devices`: what a DRA driver's are called in CDI files.
        """
        pb = self.pb
        options = pb.NamespaceOption(network=pb.NODE, pid=pb.CONTAINER)
        config = pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name=name, attempt=attempt),
            image=pb.ImageSpec(image=image),
            command=command,
            args=args,
            annotations={**(annotations or {}), **(told.annotations if told else {})},
            mounts=[
                *(
                    pb.Mount(container_path=where, host_path=path)
                    for where, path in (mounts or {}).items()
                ),
                *(
                    pb.Mount(
                        container_path=m.container_path, host_path=m.host_path, readonly=m.read_only
                    )
                    for m in (told.mounts if told else ())
                ),
            ],
            log_path=f"{name}.log",
            CDI_devices=[pb.CDIDevice(name=device) for device in devices],
            linux=pb.LinuxContainerConfig(
                security_context=pb.LinuxContainerSecurityContext(namespace_options=options)
            ),
        )
        request = pb.CreateContainerRequest(
            pod_sandbox_id=pod.id, config=config, sandbox_config=pod.config
        )
        return str(self.runtime.CreateContainer(request, timeout=timeout).container_id)

    def start(self, container: str, timeout: float = 30) -> None:
        """Start a created container."""
        self.runtime.StartContainer(self.pb.ContainerId(container_id=container), timeout=timeout)

    def status(self, container: str) -> Any:
        """ContainerStatus: state, exit_code, reason, message, times in nanoseconds."""
        request = self.pb.ContainerStatusRequest(container_id=container)
        return self.runtime.ContainerStatus(request, timeout=10).status

    def wait_exited(self, container: str, timeout: float = 20) -> Any:
        """Wait until the container has exited; returns its ContainerStatus."""
        exited = self.pb.CONTAINER_EXITED
        ended = wait_until(lambda: self.status(container).state == exited, timeout)
        assert ended, f"container {container} did not exit within {timeout} s"
        return self.status(container)

    def exec_sync(self, container: str, command: Sequence[str], timeout: int = 10) -> Any:
        """Run a command in the container: stdout, stderr (bytes) and exit_code."""
        request = self.pb.ExecSyncRequest(container_id=container, cmd=command, timeout=timeout)
        return self.runtime.ExecSync(request, timeout=timeout + 5)

    def stats(self, container: str) -> Any:
        """ContainerStats: cpu and memory, as the kubelet would ask."""
        request = self.pb.ContainerId(container_id=container)
        return self.runtime.ContainerStats(request, timeout=10).stats

    def logs(self, pod: Pod, name: str) -> list[tuple[str, str]]:
        """Stream ("stdout", "stderr") and text of each log line so far."""
        path = os.path.join(pod.config.log_directory, f"{name}.log")
        with open(path) as file:  # TIME STREAM TAG TEXT
            fields = [line.rstrip("\n").split(" ", 3) for line in file]
        return [(stream, text) for _, stream, _, text in fields]

    def update(self, container: str, **limits: int | str) -> None:
        """Change limits, by the names of LinuxContainerResources, as the kubelet does."""
        linux = self.pb.LinuxContainerResources(**limits)
        request = self.pb.UpdateContainerResourcesRequest(container_id=container, linux=linux)
        self.runtime.UpdateContainerResources(request, timeout=10)

    def stop(self, container: str, grace: int = 10) -> None:
        """Stop signal, `grace` seconds, SIGKILL; returns when the container is stopped."""
        request = self.pb.StopContainerRequest(container_id=container, timeout=grace)
        self.runtime.StopContainer(request, timeout=grace + 20)

    def remove(self, container: str) -> None:
        """Remove the container, by force if it runs."""
        self.runtime.RemoveContainer(self.pb.ContainerId(container_id=container), timeout=30)

    def remove_pod(self, pod: Pod) -> None:
        """Stop and remove a pod with all its containers."""
        request = self.pb.PodSandboxId(pod_sandbox_id=pod.id)
        self.runtime.StopPodSandbox(request, timeout=30)
        self.runtime.RemovePodSandbox(request, timeout=30)
