"""Proves what a shim answers to commands inside a container, their output and their ends."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest
from google.protobuf.any_pb2 import Any

from adapters.containerd.api.events_pb2 import TaskExit
from adapters.containerd.api.process_pb2 import Status
from adapters.containerd.ttrpc.errors import Code
from tests.engines.process import wait_until

ON_A_COMMAND = ("Start", "Delete", "State", "Kill", "Wait", "CloseIO", "ResizePty")
URL = "types.containerd.io/opencontainers/runtime-spec/1/Process"


def process(words):
    return Any(type_url=URL, value=json.dumps({"args": words, "cwd": "/"}).encode())


class Inside:
    """Commands inside the container `first`, with FIFOs as clients of containerd make them."""

    def __init__(self, served):
        self.served = served
        self.folder = served.folder

    def add(self, exec_id, *words, **fields):
        for stream in ("stdout", "stderr"):
            fields.setdefault(stream, f"{self.folder}/{exec_id}-{stream}")
            if not os.path.exists(fields[stream]) and ":" not in fields[stream]:
                os.mkfifo(fields[stream])
        self.call("Exec", exec_id, spec=process(words), **fields)

    def call(self, method, exec_id, **fields):
        return self.served.call(method, id="first", exec_id=exec_id, **fields)

    def refusal(self, method, exec_id, **fields):
        return self.served.refusal(method, id="first", exec_id=exec_id, **fields)

    def result(self, exec_id, *words, late=0, **fields):
        """Exit status and the two outputs, each read to its end by clients that come `late`."""
        self.add(exec_id, *words, **fields)
        streams = ("stdout",) if fields.get("terminal") else ("stdout", "stderr")  # as engines do
        read = {"stderr": ""}

        def drain(stream):
            time.sleep(late)
            with open(f"{self.folder}/{exec_id}-{stream}", newline="") as file:
                read[stream] = file.read()

        threads = [threading.Thread(target=drain, args=(s,)) for s in streams]
        for thread in threads:
            thread.start()
        self.call("Start", exec_id)
        status = self.call("Wait", exec_id, timeout=5).exit_status
        for thread in threads:
            thread.join(5)
        self.call("Delete", exec_id)
        return status, read["stdout"], read["stderr"]


@pytest.fixture
def inside(served):
    served.create("first")
    return Inside(served)


def started(inside):
    inside.served.call("Start", id="first")
    return inside


def test_a_whole_life(inside):
    started(inside)
    inside.add("x", "status")
    state = inside.call("State", "x")
    assert (state.id, state.exec_id, state.status) == ("first", "x", Status.CREATED)
    pid = inside.call("Start", "x").pid
    assert pid > 0
    ended = inside.call("Wait", "x", timeout=5)
    assert ended.exit_status == 0 and abs(ended.exited_at.seconds - time.time()) < 30
    late = os.open(f"{inside.folder}/x-stdout", os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(late, 4096).startswith(b"running on m3-0") and os.read(late, 4096) == b""
    os.close(late)
    state = inside.call("State", "x")
    assert (state.status, state.exited_at) == (Status.STOPPED, ended.exited_at)
    inside.call("Delete", "x")
    assert inside.refusal("State", "x").code == Code.NOT_FOUND
    topics = ["create", "start", "exec-added", "exec-started", "exit"]
    assert wait_until(lambda: inside.served.events.topics("first") == topics)
    exit_ = TaskExit.FromString(inside.served.events.taken[-1].event.value)
    assert (exit_.container_id, exit_.id, exit_.pid) == ("first", "x", pid)
    assert exit_.exited_at == ended.exited_at
    assert inside.served.call("State", id="first").status == Status.RUNNING


def test_codes_and_streams(inside):
    code, out, err = inside.result("a", "status")
    assert (code, err) == (1, "") and out.startswith("created")
    started(inside)
    assert inside.result("b", "/bin/sh", "-c", "status || exit 1")[0] == 0
    code, out, err = inside.result("c", "ls", "-l")
    assert (code, out) == (127, "") and "no program 'ls'" in err and "status" in err
    assert inside.result("d", "help", terminal=True)[1].count("\r\n") > 3
    assert "fw.elf" in inside.result("e", "firmware")[1]


def test_a_client_that_opens_its_end_when_the_command_would_be_over(inside):
    assert "no program 'ls'" in inside.result("x", "ls", late=0.2)[2]


def test_output_to_a_file(inside):
    path = f"{inside.folder}/out"
    inside.add("x", "help", stdout=f"file://{path}", stderr=f"file://{path}")
    inside.call("Start", "x")
    assert inside.call("Wait", "x", timeout=5).exit_status == 0
    with open(path) as file:
        assert "resource-table" in file.read()


def test_requests_in_the_wrong_order(inside):
    started(inside)
    inside.add("x", "status")
    assert inside.refusal("Exec", "x", spec=process(["help"])).code == Code.ALREADY_EXISTS
    assert inside.refusal("Kill", "x", signal=signal.SIGTERM).code == Code.NOT_FOUND
    inside.call("Start", "x")
    inside.call("Wait", "x", timeout=5)
    assert inside.refusal("Start", "x").code == Code.FAILED_PRECONDITION
    assert inside.refusal("Kill", "x", signal=signal.SIGTERM).code == Code.NOT_FOUND
    inside.call("Delete", "x")
    inside.add("x", "status")
    inside.call("Delete", "x")  # what never began, too


@pytest.mark.parametrize("method", ON_A_COMMAND)
def test_unknown_commands(inside, method):
    error = inside.refusal(method, "nobody")
    assert error.code == Code.NOT_FOUND and "nobody" in error.message


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b'{"args": "status"}', b'{"args": [1]}'])
def test_specifications_that_are_none(inside, value):
    error = inside.refusal("Exec", "x", spec=Any(type_url=URL, value=value))
    assert error.code == Code.INVALID_ARGUMENT and "process.args" in error.message
    assert inside.refusal("Exec", "", spec=process(["status"])).code == Code.INVALID_ARGUMENT


def test_in_a_container_that_has_ended(inside):
    started(inside)
    inside.add("x", "status")
    inside.served.call("Kill", id="first", signal=signal.SIGKILL)
    inside.served.call("Wait", id="first")
    assert inside.refusal("Start", "x").code == Code.FAILED_PRECONDITION
    error = inside.refusal("Exec", "y", spec=process(["status"]))
    assert error.code == Code.FAILED_PRECONDITION and "stopped" in error.message
    inside.served.call("Delete", id="first")
    assert inside.refusal("State", "x").code == Code.NOT_FOUND


def stuck(inside):
    """Start a command whose output nobody reads and the FIFO does not hold."""
    started(inside)
    out = f"{inside.folder}/full"
    os.mkfifo(out)
    full = os.open(out, os.O_RDWR | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(full, bytes(4096))
    inside.add("x", "status", stdout=out)
    inside.call("Start", "x")
    assert inside.call("State", "x").status == Status.RUNNING
    assert inside.refusal("Delete", "x").code == Code.FAILED_PRECONDITION
    return full


def test_a_command_that_nobody_reads_can_be_killed(inside):
    full = stuck(inside)
    inside.call("Kill", "x", signal=signal.SIGKILL)
    assert inside.call("Wait", "x", timeout=5).exit_status == 137
    os.close(full)


def test_commands_end_with_their_task_and_leave_no_descriptor(inside):
    descriptors = f"/proc/{inside.served.process.pid}/fd"
    assert wait_until(lambda: inside.served.events.topics("first") == ["create"])  # has connected
    before = len(os.listdir(descriptors))
    full = stuck(inside)
    inside.served.call("Kill", id="first", signal=signal.SIGKILL)
    inside.served.call("Wait", id="first")
    inside.served.call("Delete", id="first")
    assert wait_until(lambda: inside.served.events.topics("first")[-1] == "delete")
    assert wait_until(lambda: len(os.listdir(descriptors)) <= before, 5)
    os.close(full)
