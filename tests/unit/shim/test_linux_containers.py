"""A Linux container that is created while the shim of the last one before it ends."""

import os
import sys
import threading

from adapters.containerd.api import task_pb2 as api
from adapters.containerd.api.anys import pack
from adapters.containerd.api.runc_options_pb2 import Options
from adapters.containerd.linux_containers import LinuxContainers
from tests.waiting import wait_until

CHECKOUT = os.path.realpath(f"{__file__}/../../../..")
# Like containerd's shim for runc: one for a socket; it decides to end before it ends.
SHIM = f"""#!{sys.executable}
import os, socket, sys, threading
sys.path.insert(0, {CHECKOUT!r})
from adapters.containerd.api import task_pb2 as api
from adapters.containerd.ttrpc.server import Server

place = os.path.dirname(sys.argv[0])
listener = socket.socket(socket.AF_UNIX)
try:
    listener.connect(f"{{place}}/s")
except OSError:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{{place}}/s")
    listener.listen()
    if os.fork() == 0:
        for number in range(3):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        server = Server()

        def end(*_):
            open(f"{{place}}/ends", "w").close()
            threading.Timer(0.5, server.shutdown, [0.0]).start()

        server.register("containerd.task.v2.Task", {{
            "Create": (api.CreateTaskRequest, lambda *_: api.CreateTaskResponse(pid=os.getpid())),
            "State": (api.StateRequest, lambda *_: api.StateResponse(pid=os.getpid())),
            "Delete": (api.DeleteRequest, lambda *_: api.DeleteResponse()),
            "Shutdown": (api.ShutdownRequest, end),
        }})
        server.serve(listener)
        os.unlink(f"{{place}}/s")
        os._exit(0)
print(f"unix://{{place}}/s")
"""


def test_a_container_does_not_get_the_shim_that_ends(tmp_path, monkeypatch):
    program = tmp_path / "containerd-shim-runc-v2"
    program.write_text(SHIM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    lost: list[float] = []
    containers = LinuxContainers("k8s.io", "", print, lost.append)

    def create(name):
        bundle = tmp_path / name
        bundle.mkdir()
        (bundle / "config.json").write_text("{}")
        request = api.CreateTaskRequest(id=name, bundle=str(bundle))
        request.options.CopyFrom(pack(Options(binary_name="/bin/true")))
        created = containers.create(request, {})
        assert isinstance(created, api.CreateTaskResponse)
        return created

    def delete(name):
        containers.pass_on("Delete", api.DeleteRequest(id=name))

    first = create("c1")
    last = threading.Thread(target=delete, args=["c1"])
    last.start()
    wait_until((tmp_path / "ends").exists)
    second = create("c2")
    last.join()
    try:
        assert first.pid != second.pid and not lost
        state = containers.pass_on("State", api.StateRequest(id="c2"))
        assert state == api.StateResponse(pid=second.pid)
    finally:
        delete("c2")
    assert not lost
