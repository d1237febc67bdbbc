"""Stands in for the kubelet towards DRA drivers, over real gRPC on Unix sockets.

As kubelet 1.36 it removes its node's slices when it starts, finds sockets in its directory, asks
each who it is, and tells it the result; it forgets a driver whose socket is gone. Its containerd
reads CDI files.
"""

from __future__ import annotations

import glob
import json
import os
import threading

import grpc

from adapters.kubernetes.api import dra_pb2 as dra
from adapters.kubernetes.api import pluginregistration_pb2 as registration

_DRIVER = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin"
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


class DraKubelet:
    """One kubelet; `drivers` are the sockets of registered drivers by name."""

    def __init__(self, directory, cdi, api):
        self.directory = directory
        self.cdi = cdi
        self.api = api
        self.drivers: dict[str, str] = {}
        self.registrations = 0
        self._known: dict[str, tuple[int, int]] = {}
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        self.api.wipe()
        self._end.clear()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self):
        """End the process: it knows no drivers any more."""
        self._end.set()
        if self._thread:
            self._thread.join()
        self.drivers, self._known = {}, {}

    def _watch(self):
        while not self._end.wait(0.05):
            found = {}
            for path in glob.glob(f"{self.directory}/*.sock"):
                try:
                    status = os.stat(path)
                except FileNotFoundError:
                    continue
                # Not st_ctime: a driver that sets the mode of its socket makes no other socket.
                found[path] = (status.st_ino, status.st_mtime_ns)
            for path in [p for p, known in self._known.items() if found.get(p) != known]:
                del self._known[path]
                self.drivers = {n: p for n, p in self.drivers.items() if p != path}
            for path in found.keys() - self._known.keys():
                try:
                    self._register(path)
                    self._known[path] = found[path]
                except grpc.RpcError:
                    pass  # nobody is behind it yet, or any more

    def _register(self, path):
        info = _call(
            path,
            "/pluginregistration.Registration/GetInfo",
            registration.InfoRequest(),
            registration.PluginInfo,
        )
        ok = info.type == "DRAPlugin" and "v1.DRAPlugin" in info.supported_versions
        if ok:
            self.drivers[info.name] = info.endpoint or path
            self.registrations += 1
        _call(
            path,
            "/pluginregistration.Registration/NotifyRegistrationStatus",
            registration.RegistrationStatus(plugin_registered=ok, error="" if ok else "no"),
            registration.RegistrationStatusResponse,
        )

    def prepare(self, name, uid=""):
        """Prepare a claim, before a pod's containers start; return the driver's answer for it."""
        claim = dra.Claim(namespace="default", name=name, uid=uid or f"uid-{name}")
        answer = _call(
            self.drivers["remoteproc"],
            f"{_DRIVER}/NodePrepareResources",
            dra.NodePrepareResourcesRequest(claims=[claim]),
            dra.NodePrepareResourcesResponse,
        )
        (found,) = answer.claims.items()
        assert found[0] == claim.uid
        return found[1]

    def unprepare(self, name):
        claim = dra.Claim(namespace="default", name=name, uid=f"uid-{name}")
        answer = _call(
            self.drivers["remoteproc"],
            f"{_DRIVER}/NodeUnprepareResources",
            dra.NodeUnprepareResourcesRequest(claims=[claim]),
            dra.NodeUnprepareResourcesResponse,
        )
        assert {uid: each.error for uid, each in answer.claims.items()} == {claim.uid: ""}

    def mounts(self, device):
        """Return the mounts that containerd gives to a container with this CDI device."""
        kind, _, name = device.partition("=")
        for path in glob.glob(f"{self.cdi}/*.json"):
            with open(path) as file:
                spec = json.load(file)
            assert spec["cdiVersion"] == "0.6.0"
            for each in spec["devices"]:
                if (spec["kind"], each["name"]) == (kind, name):
                    return [
                        {"destination": m["containerPath"], "source": m["hostPath"],
                         "type": m["type"], "options": m["options"]}
                        for m in each["containerEdits"]["mounts"]
                    ]  # fmt: skip
        raise AssertionError(f"unresolvable CDI devices {device}")


def _call(path, method, request, answer):
    with grpc.insecure_channel(f"unix:{path}", options=_OPTIONS) as channel:
        call = channel.unary_unary(
            method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return call(request, timeout=45)
