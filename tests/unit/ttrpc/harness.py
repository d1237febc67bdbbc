"""A server of a few test methods on a real Unix socket, and clients of it."""

from __future__ import annotations

import socket
import threading
import time
import typing

from google.protobuf.any_pb2 import Any
from google.protobuf.wrappers_pb2 import BytesValue, DoubleValue, StringValue

from adapters.containerd.ttrpc.client import Client
from adapters.containerd.ttrpc.context import CallContext
from adapters.containerd.ttrpc.errors import Code, RpcError
from adapters.containerd.ttrpc.server import Server

SERVICE = "test.v1.Test"


class InThread(threading.Thread):
    """Runs a function; keeps what it returned or raised as `outcome`."""

    outcome: typing.Any = None

    def __init__(self, function, *args, **options):
        super().__init__()
        self._call = lambda: function(*args, **options)
        self.start()

    def run(self):
        try:
            self.outcome = self._call()
        except Exception as error:
            self.outcome = error


class Handlers:
    """What the methods do, and what they saw."""

    def __init__(self) -> None:
        self.contexts: list[CallContext] = []
        self.release = threading.Event()
        self.cancelled = threading.Semaphore(0)

    def echo(self, context, request):
        self.contexts.append(context)
        return request

    def sleep(self, context, request):
        time.sleep(request.value)
        return request

    def wait(self, context, request):
        """Blocks until release, or until the call is cancelled."""
        self.contexts.append(context)
        woken = threading.Event()
        context.on_cancel(woken.set)
        while not self.release.is_set():
            if woken.wait(0.005):
                assert context.cancelled.is_set()
                self.cancelled.release()
                break
        return request

    def fail(self, context, request):
        if request.value == "status":
            raise RpcError(Code.NOT_FOUND, "no m4", [Any(type_url="t", value=b"v")])
        if request.value == "exit":
            raise SystemExit(3)
        if request.value == "nonsense":
            return 5
        raise KeyError(request.value)

    def swallow(self, context, request):
        return None

    def blow_up(self, context, request):
        return BytesValue(value=bytes(int(request.value)))

    def methods(self):
        return {
            "Echo": (StringValue, self.echo),
            "EchoBytes": (BytesValue, self.echo),
            "Sleep": (DoubleValue, self.sleep),
            "Wait": (StringValue, self.wait),
            "Fail": (StringValue, self.fail),
            "Swallow": (StringValue, self.swallow),
            "BlowUp": (DoubleValue, self.blow_up),
        }


class Running:
    """A server in a thread of this process."""

    def __init__(self, path, **options) -> None:
        self.path = str(path)
        self.handlers = Handlers()
        self.server = Server(**options)
        self.server.register(SERVICE, self.handlers.methods())
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.server.serve, args=[self.listener])
        self.thread.start()

    def client(self, **options) -> Client:
        return Client.connect("unix://" + self.path, **options)

    def raw(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(20)
        sock.connect(self.path)
        return sock

    def stop(self) -> None:
        self.handlers.release.set()
        self.server.shutdown(0)
        self.thread.join(20)
        assert not self.thread.is_alive()


def eventually(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.005)
