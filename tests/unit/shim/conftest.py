"""A served shim on the simulated board, without an engine: bundles, a client, and its events."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest
from google.protobuf.empty_pb2 import Empty

from adapters.containerd.api import task_pb2 as api
from adapters.containerd.api.forward_pb2 import ForwardRequest
from adapters.containerd.ttrpc.client import Client
from adapters.containerd.ttrpc.errors import Code, RpcError
from adapters.containerd.ttrpc.server import Server
from bootstrap.programs import spawn_supervisor
from bootstrap.settings import Settings
from bootstrap.wiring import Runtime

FIRMWARE = os.path.join(os.path.dirname(__file__), "../../../firmware/build/cortex-m3")
SERVE = """
import sys
from bootstrap import programs, shim, wiring
from bootstrap.settings import Settings
from bootstrap.wiring import Runtime
root, run_directory = sys.argv.pop(1), sys.argv.pop(1)
settings = Settings(root, run_directory, backend="sim", board="quad")
programs.lifecycle_for_namespace = lambda _, warn, start: (
    wiring.Runtime(settings, warn, start).lifecycle()
)
sys.argv.insert(1, "containerd-shim-remoteproc-v1")
shim.prepare_shim()(sys.argv[2:])
"""
PUT_AT_3 = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"
RESPONSES = {
    "Create": api.CreateTaskResponse,
    "Start": api.StartResponse,
    "Delete": api.DeleteResponse,
    "State": api.StateResponse,
    "Wait": api.WaitResponse,
    "Pids": api.PidsResponse,
    "Connect": api.ConnectResponse,
    "Stats": api.StatsResponse,
}


class Events:
    """Stands for containerd's end of the events' service; may go away, come back, and hang."""

    SERVICE = "containerd.services.events.ttrpc.v1.Events"

    def __init__(self, path):
        self.path = path
        self.taken = []  # the envelopes that this end has accepted
        self.received = 0
        self.refuse = 0
        self.answering = threading.Event()
        self.answering.set()
        self.start()

    def start(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()
        self._server = Server()
        self._server.register(self.SERVICE, {"Forward": (ForwardRequest, self._forward)})
        self._thread = threading.Thread(target=self._server.serve, args=(listener,))
        self._thread.start()

    def _forward(self, context, request):
        self.received += 1
        self.answering.wait()
        if context.cancelled.is_set():
            return
        if self.refuse:
            self.refuse -= 1
            raise RpcError(Code.INTERNAL, "not now")
        assert context.metadata["containerd-namespace-ttrpc"] == [request.envelope.namespace]
        self.taken.append(request.envelope)

    def topics(self, container=""):
        wanted = container.encode()
        return [e.topic.rpartition("/")[2] for e in self.taken if wanted in e.event.value]

    def stop(self):
        self.answering.set()
        self._server.shutdown(0)
        self._thread.join()
        os.unlink(self.path)


@pytest.fixture
def containerd(tmp_path):
    events = Events(f"{tmp_path}/e")
    yield events
    events.stop()


class Shim:
    """One served shim in a bundle `first`; `serve` starts it."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.run = f"{folder}/run"
        self.root = f"{folder}/state"
        self.socket = f"{folder}/s"
        self.events = Events(f"{folder}/e")
        self.bundle("first")
        self.process = self._client = None

    def bundle(self, name, program="hello", annotations=None, **process):
        path = f"{self.folder}/{name}"
        os.makedirs(f"{path}/rootfs")
        if program:
            shutil.copy(f"{FIRMWARE}/{program}.elf", f"{path}/rootfs/fw.elf")
        config = {
            "ociVersion": "1.1.0",
            "process": {"args": ["/fw.elf"], "cwd": "/", **process},
            "root": {"path": "rootfs"},
            "annotations": {"remoteproc.name": "m3-0", **(annotations or {})},
        }
        with open(f"{path}/config.json", "w") as file:
            json.dump(config, file)
        return path

    def serve(self, *more, prepare=None):
        """Start the shim; its process calls `prepare` before it executes the program."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen()
        flags = ["-namespace", "tests", "-id", "first", "-socket", self.socket, *more, "start"]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", PUT_AT_3, str(listener.fileno())),
                *(sys.executable, "-c", SERVE, self.root, self.run, *flags),
            ],
            pass_fds=[listener.fileno()],
            cwd=f"{self.folder}/first",
            env={**os.environ, "TTRPC_ADDRESS": self.events.path, "PYTHONPATH": os.getcwd()},
            preexec_fn=prepare,
        )
        listener.close()
        return self

    @property
    def client(self):
        if self._client is None:
            self._client = Client.connect(self.socket, 10)
        return self._client

    def call(self, method, timeout=20, version=2, **fields):
        request = getattr(api, REQUESTS.get(method, f"{method}Request"))(**fields)
        service = f"containerd.task.v{version}.Task"
        return self.client.call(
            service, method, request, RESPONSES.get(method, Empty), timeout=timeout
        )

    def create(self, name, bundle="", **fields):
        return self.call("Create", id=name, bundle=bundle or f"{self.folder}/{name}", **fields)

    def refusal(self, method, **fields):
        with pytest.raises(RpcError) as caught:
            self.call(method, **fields)
        assert "\n" not in caught.value.message
        return caught.value

    def lifecycle(self):
        settings = Settings(self.root, self.run, backend="sim", board="quad")
        return Runtime(settings, print, spawn_supervisor).lifecycle()

    def close(self):
        if self._client is not None:
            self._client.close()
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
        lifecycle = self.lifecycle()
        for container in lifecycle.all():
            lifecycle.delete(container.id, force=True)
        self.events.stop()


REQUESTS = {"Create": "CreateTaskRequest", "Exec": "ExecProcessRequest"} | {
    "Checkpoint": "CheckpointTaskRequest",
    "Update": "UpdateTaskRequest",
}


@pytest.fixture
def shim(tmp_path):
    shim = Shim(tmp_path)
    try:
        yield shim
    finally:
        shim.close()


@pytest.fixture
def served(shim):
    return shim.serve()
