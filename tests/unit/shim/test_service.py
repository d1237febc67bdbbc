"""Proves what a running shim answers: in order, out of order, late, twice, and to nonsense."""

from __future__ import annotations

import errno
import json
import os
import signal
import struct
import threading
import time

import pytest
from google.protobuf.any_pb2 import Any

from adapters.containerd.api.process_pb2 import Status
from adapters.containerd.api.task_pb2 import WaitRequest, WaitResponse
from adapters.containerd.api.types_pb2 import Mount
from adapters.containerd.ttrpc.client import Client
from adapters.containerd.ttrpc.errors import Closed, Code, RpcError
from adapters.linux import seccomp
from adapters.linux.libc import Unsigned
from adapters.linux.process_tree import children
from tests.engines.process import wait_until

ON_A_TASK = (
    *("Start", "Delete", "State", "Kill", "Wait", "Pids", "Stats", "Pause", "Resume"),
    *("CloseIO", "ResizePty", "Exec", "Update", "Checkpoint"),
)


def mounts():
    with open("/proc/self/mountinfo") as file:
        return {line.split()[4] for line in file}


@pytest.mark.parametrize("version", [2, 3])
def test_a_whole_life(served, version):
    call = served.call
    created = served.create("first")
    state = call("State", id="first")
    assert (state.status, state.pid) == (Status.CREATED, created.pid)
    assert call("Start", version=version, id="first").pid == created.pid
    assert call("State", id="first").status == Status.RUNNING
    connected = call("Connect", version=version, id="first")
    assert (connected.shim_pid, connected.task_pid) == (served.process.pid, created.pid)
    assert call("Pids", id="first").processes[0].pid == created.pid
    assert call("Stats", id="first").stats.type_url.startswith("io.containerd.cgroups.v")
    call("Pause", id="first")
    assert call("State", id="first").status == Status.PAUSED
    call("Resume", id="first")
    call("Shutdown", id="first")  # not while there are tasks
    call("Kill", id="first", signal=signal.SIGTERM)
    ended = call("Wait", id="first")
    assert ended.exit_status == 0 and abs(ended.exited_at.seconds - time.time()) < 30
    state = call("State", id="first")
    assert (state.status, state.exited_at) == (Status.STOPPED, ended.exited_at)
    assert call("Pids", id="first").processes[0].pid == created.pid
    deleted = call("Delete", id="first")
    assert (deleted.pid, deleted.exited_at) == (created.pid, ended.exited_at)
    call("Shutdown", id="first")
    assert served.process.wait(5) == 0
    assert not os.path.exists(served.socket)
    topics = ["create", "start", "paused", "resumed", "exit", "delete"]
    assert wait_until(lambda: served.events.topics("first") == topics), served.events.topics()


@pytest.mark.parametrize("program, status", [("exit", 7), ("exit0", 0), ("crash", 139)])
def test_an_immediate_exit_is_published_after_the_start(served, program, status):
    served.bundle("c", program)
    served.create("c")
    waits = [threading.Thread(target=served.call, args=("Wait",), kwargs={"id": "c"})]
    waits[0].start()
    served.call("Start", id="c")
    assert served.call("Wait", id="c").exit_status == status
    waits[0].join(5)
    assert not waits[0].is_alive()
    served.call("Delete", id="c")
    assert wait_until(lambda: served.events.topics("c") == ["create", "start", "exit", "delete"])


def refuse_orphans():
    """Let this process not become the parent of orphans, as QEMU's user mode does not let it."""
    equal, set_child_subreaper = 4, 36
    condition = struct.pack("=IIQQ", 0, equal, set_child_subreaper, 0)
    made = seccomp._Filter()
    refusal, prctl = Unsigned(0x00050000 | errno.EINVAL), seccomp._number("prctl")
    made.call("seccomp_rule_add_array", refusal, prctl, 1, condition)
    made.call("seccomp_load")


@pytest.mark.parametrize("flags", [(), ("-pod",)])
def test_a_shim_that_orphans_do_not_go_to_knows_how_they_ended(shim, flags):
    path = f"{shim.bundle('c', 'crash')}/config.json"
    with open(path) as file:
        config = json.load(file)
    config["linux"] = {"namespaces": [{"type": "pid"}]}  # its supervisor becomes an orphan
    with open(path, "w") as file:
        json.dump(config, file)
    shim.serve(*flags, prepare=refuse_orphans)
    pid = shim.create("c").pid
    assert pid not in children(shim.process.pid)
    shim.call("Start", id="c")
    assert shim.call("Wait", id="c").exit_status == 139
    shim.call("Delete", id="c")
    assert wait_until(lambda: shim.events.topics("c") == ["create", "start", "exit", "delete"])
    shim.create("first")  # in a pod by the standby's successor, an orphan, too
    shim.call("Start", id="first")
    shim.call("Kill", id="first", signal=signal.SIGTERM)
    assert shim.call("Wait", id="first").exit_status == 0


@pytest.mark.parametrize("method", ON_A_TASK)
def test_unknown_tasks(served, method):
    error = served.refusal(method, id="nobody")
    assert error.code == Code.NOT_FOUND and "nobody" in error.message


def test_connect_answers_for_any_id(served):
    assert served.call("Connect", id="nobody").task_pid == 0


def test_requests_in_the_wrong_order(served):
    served.create("first")
    assert served.refusal("Pause", id="first").code == Code.FAILED_PRECONDITION
    assert served.refusal("Create", id="first", bundle="/nowhere").code == Code.ALREADY_EXISTS
    served.call("Start", id="first")
    assert served.refusal("Start", id="first").code == Code.FAILED_PRECONDITION
    assert served.refusal("Delete", id="first").code == Code.FAILED_PRECONDITION
    served.call("Kill", id="first", signal=signal.SIGKILL)
    assert served.call("Wait", id="first").exit_status == 137
    error = served.refusal("Kill", id="first", signal=signal.SIGTERM)
    assert (error.code, error.message) == (Code.NOT_FOUND, "process already finished")
    assert served.refusal("Start", id="first").code == Code.FAILED_PRECONDITION
    assert served.refusal("Stats", id="first").code == Code.NOT_FOUND
    served.call("Delete", id="first")
    assert served.refusal("Delete", id="first").code == Code.NOT_FOUND
    served.create("first")


def test_what_never_started_can_be_deleted(served):
    served.create("first")
    assert served.call("Delete", id="first").exit_status == 137
    assert wait_until(lambda: served.events.topics("first") == ["create", "exit", "delete"])


def test_a_start_that_fails_ends_the_task(served):
    served.bundle("other")
    for name in ("first", "other"):
        served.create(name)
    served.call("Start", id="first")
    error = served.refusal("Start", id="other")
    assert error.code == Code.FAILED_PRECONDITION and "belongs to container first" in error.message
    assert served.call("Wait", id="other").exit_status == 137
    assert served.call("State", id="other").status == Status.STOPPED
    served.call("Delete", id="other")
    # No exit: Docker would take it for that of firmware that ran, and restart the container.
    assert wait_until(lambda: served.events.topics("other") == ["create", "delete"])
    assert served.call("State", id="first").status == Status.RUNNING


def test_what_has_no_meaning_for_firmware(served):
    served.create("first")
    error = served.refusal("Checkpoint", id="first")
    assert error.code == Code.UNIMPLEMENTED and "firmware" in error.message


def test_an_update_that_cannot_be(served):
    served.create("first")
    served.call("Update", id="first", resources=Any(value=b'{"memory": {"limit": 0}}'))
    error = served.refusal("Update", id="first", resources=Any(value=b'{"pids": {"limit": 9}}'))
    assert error.code == Code.FAILED_PRECONDITION and "no control group of its own" in error.message
    error = served.refusal("Update", id="first", resources=Any(value=b"{"))
    assert error.code == Code.INVALID_ARGUMENT and "is not JSON" in error.message
    assert served.refusal("Update", id="other").code == Code.NOT_FOUND


def test_of_many_creations_of_one_id_one_succeeds(served):
    outcomes = []

    def create():
        try:
            outcomes.append(served.create("first").pid)
        except RpcError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes)[:5] == [Code.ALREADY_EXISTS] * 5 and max(outcomes) > 16, outcomes


def test_a_deadline_that_has_passed(served):
    served.create("first")
    with pytest.raises(RpcError) as caught:
        served.call("Wait", id="first", timeout=0.2)
    assert caught.value.code == Code.DEADLINE_EXCEEDED
    with pytest.raises(RpcError):
        served.call("State", id="first", timeout=0)
    assert served.call("State", id="first").status == Status.CREATED


def test_waits_that_are_given_up_leave_no_thread(served):
    served.create("first")
    assert wait_until(lambda: served.events.taken)  # over a connection that stays
    tasks = f"/proc/{served.process.pid}/task"
    before = len(os.listdir(tasks))
    others = [Client.connect(served.socket, 5) for _ in range(5)]
    for other in others:
        threading.Thread(target=_wait_in_vain, args=(other,)).start()
    assert wait_until(lambda: len(os.listdir(tasks)) >= before + 5, 5)
    for other in others:
        other.close()
    assert wait_until(lambda: len(os.listdir(tasks)) <= before, 5)


def _wait_in_vain(client):
    with pytest.raises(Closed):
        client.call("containerd.task.v2.Task", "Wait", WaitRequest(id="first"), WaitResponse)


def test_bundles_that_are_none(served):
    os.mkdir(f"{served.folder}/empty")
    error = served.refusal("Create", id="empty", bundle=f"{served.folder}/empty")
    assert error.code == Code.NOT_FOUND and "config.json" in error.message
    error = served.refusal("Create", id="../x", bundle=f"{served.folder}/first")
    assert error.code == Code.INVALID_ARGUMENT
    served.bundle("argued", args=["a", "b"])
    error = served.refusal("Create", id="argued", bundle=f"{served.folder}/argued")
    assert error.code == Code.INVALID_ARGUMENT and "ENTRYPOINT" in error.message
    assert served.events.taken == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
class TestRootfs:
    def mount(self, source, **fields):
        return Mount(type="bind", source=source, options=["rbind", "ro"], **fields)

    def test_is_mounted_and_unmounted(self, served):
        served.bundle("image")
        path = served.bundle("c", program="")
        served.create("c", rootfs=[self.mount(f"{served.folder}/image/rootfs")])
        assert f"{path}/rootfs" in mounts()
        with pytest.raises(OSError, match="Read-only"):
            os.mkdir(f"{path}/rootfs/x")
        served.call("Start", id="c")
        served.call("Kill", id="c", signal=signal.SIGTERM)
        served.call("Wait", id="c")
        served.call("Delete", id="c")
        assert f"{path}/rootfs" not in mounts() and os.listdir(f"{path}/rootfs") == []

    def test_mounts_that_fail_halfway_are_undone(self, served):
        path = served.bundle("c", program="")
        good = self.mount(f"{served.folder}/first/rootfs")
        error = served.refusal("Create", id="c", bundle=path, rootfs=[good, self.mount("/none")])
        assert "/none" in error.message and "ENOENT" in error.message
        assert f"{path}/rootfs" not in mounts()
        odd = Mount(type="ext4", source="/none", options=["loop"])
        error = served.refusal("Create", id="c", bundle=path, rootfs=[good, odd])
        assert error.code == Code.INVALID_ARGUMENT and "loop" in error.message
        assert f"{path}/rootfs" not in mounts()

    def test_a_creation_that_fails_later_unmounts(self, served):
        path = served.bundle("c", program="", annotations={"remoteproc.name": "nowhere"})
        good = self.mount(f"{served.folder}/first/rootfs")
        error = served.refusal("Create", id="c", bundle=path, rootfs=[good])
        assert "nowhere" in error.message
        assert f"{path}/rootfs" not in mounts()


def test_a_killed_supervisor_is_reported(served):
    pid = served.create("first").pid
    served.call("Start", id="first")
    os.kill(pid, signal.SIGKILL)
    assert served.call("Wait", id="first", timeout=5).exit_status == 137
    assert wait_until(lambda: served.events.topics() == ["create", "start", "exit"])


def test_containers_of_a_pod_have_processors_of_their_own(served):
    names = {"remoteproc.name.a": "m3-1", "remoteproc.name.b": "m3-2"}
    cri = "io.kubernetes.cri"
    pod = {f"{cri}.container-type": "sandbox", f"{cri}.sandbox-id": "pause"}
    served.bundle("pause", "", {**names, **pod}, args=["/p", "x"])
    for name in "ab":
        kind = {f"{cri}.container-type": "container", f"{cri}.container-name": name}
        served.bundle(name, annotations={**names, **kind})
    for name in ("pause", "a", "b"):
        served.create(name)
        served.call("Start", id=name)
    owners = {row.owner.id: row.info.name for row in served.lifecycle().processors() if row.owner}
    assert owners == {"a": "m3-1", "b": "m3-2"}
    for name in ("a", "pause", "b"):
        served.call("Kill", id=name, signal=signal.SIGKILL)
        assert served.call("Wait", id=name).exit_status == 137
        served.call("Delete", id=name)


def test_events_wait_for_containerd(served):
    served.events.stop()
    served.create("first")
    served.call("Start", id="first")
    served.call("Kill", id="first", signal=signal.SIGTERM)
    served.call("Wait", id="first")
    served.events.refuse = 2
    served.events.start()
    assert wait_until(lambda: served.events.topics() == ["create", "start", "exit"], 15)
