"""Proves that `delete` leaves nothing of what a dead shim left, and tells how it ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time

import pytest

from adapters.containerd import linux_delete
from adapters.containerd.api.task_pb2 import DeleteResponse
from adapters.containerd.api.types_pb2 import Mount
from adapters.containerd.delete import delete
from adapters.containerd.flags import parse
from adapters.containerd.ttrpc.errors import Closed, RpcError
from tests.engines.process import wait_until


def clean_up(shim, name):
    call = parse(["-id", name, "-namespace", "tests", "-bundle", f"{shim.folder}/{name}", "delete"])
    return DeleteResponse.FromString(delete(call, shim.root, shim.lifecycle))


def kill(shim):
    shim.process.send_signal(signal.SIGKILL)
    shim.process.wait()


def test_running_firmware_is_stopped(served):
    image = Mount(type="bind", source=f"{served.folder}/first/rootfs", options=["rbind"])
    path = served.bundle("c", program="")
    pid = served.create("c", rootfs=[image] if os.geteuid() == 0 else []).pid
    served.call("Start", id="c")
    with open(f"{path}/address", "w") as file:
        file.write(f"unix://{served.socket}")
    kill(served)
    response = clean_up(served, "c")
    assert (response.pid, response.exit_status) == (pid, 137)
    assert abs(response.exited_at.seconds - time.time()) < 30
    assert not any(row.owner for row in served.lifecycle().processors())
    assert served.lifecycle().all() == []
    assert not os.path.ismount(f"{path}/rootfs") and not os.path.exists(served.socket)
    assert clean_up(served, "c").exit_status == 137, "again, as after a crash half-way"


def test_what_containerd_has_forgotten_is_removed(served):
    """containerd removes a bundle even if the action `delete` for it was killed."""
    path = served.bundle("c", "hello")
    served.create("c")
    served.call("Start", id="c")
    kill(served)
    clean_up(served, "other")
    assert [container.id for container in served.lifecycle().all()] == ["c"], "its bundle is there"
    shutil.rmtree(path)
    clean_up(served, "other")
    assert served.lifecycle().all() == []
    assert not any(row.owner for row in served.lifecycle().processors())


def test_a_recorded_exit_is_reported_unchanged(served):
    served.bundle("c", "exit")
    pid = served.create("c").pid
    served.call("Start", id="c")
    at = served.call("Wait", id="c").exited_at
    kill(served)
    response = clean_up(served, "c")
    assert (response.pid, response.exit_status, response.exited_at) == (pid, 7, at)


def test_what_was_never_created(served):
    response = clean_up(served, "first")
    assert response.exit_status == 137 and response.exited_at.seconds > 0


def test_a_socket_that_is_served_stays(served):
    path = served.bundle("c")
    with open(f"{path}/address", "w") as file:
        file.write(f"unix://{served.socket}")
    served.create("first")
    clean_up(served, "c")
    assert served.call("State", id="first").id == "first"


def test_a_pod_of_which_nothing_can_be_told_counts_as_alive(tmp_path):
    """Its shim for runc may be starting another container, and must not be ended."""
    assert not linux_delete._pod_lives(str(tmp_path)), "no shim has noted a socket"
    (tmp_path / "address").mkdir()  # which cannot be read as a file
    assert linux_delete._pod_lives(str(tmp_path))


@pytest.mark.parametrize("moment", [0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45])
def test_killed_at_any_moment(served, moment):
    image = Mount(type="bind", source=f"{served.folder}/first/rootfs", options=["rbind"])
    path = served.bundle("c", program="")
    assert served.call("Connect", id="c").task_pid == 0  # it has loaded

    def use():
        with contextlib.suppress(Closed, RpcError):
            served.create("c", rootfs=[image] if os.geteuid() == 0 else [])
            served.call("Start", id="c")
            served.call("Kill", id="c", signal=signal.SIGTERM)
            served.call("Wait", id="c")
            served.call("Delete", id="c")

    thread = threading.Thread(target=use)
    thread.start()
    time.sleep(moment)
    kill(served)
    thread.join(10)
    clean_up(served, "c")
    assert not os.path.ismount(f"{path}/rootfs")
    assert served.lifecycle().all() == []
    assert not any(row.owner for row in served.lifecycle().processors())
    assert wait_until(lambda: not supervisors(served), 10), supervisors(served)


def supervisors(shim):
    """Processes whose command line or open directory is of this test's state root."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            places = [os.readlink(e.path) for e in os.scandir(f"/proc/{pid}/fd")]
            if int(pid) != os.getpid() and any(p.startswith(f"{shim.root}/") for p in places):
                found.append(pid)
    return found
