"""Proves that a command inside a task ends, and that its exit is published, even after errors."""

from __future__ import annotations

import pytest

from adapters.containerd.api.process_pb2 import Status
from adapters.containerd.events import EventPublisher
from adapters.containerd.exec_process import ExecProcess
from adapters.containerd.stdio import TaskIO
from adapters.containerd.ttrpc import threads
from domain.builtin_exec import ExecResult
from domain.errors import HostFault


class Recorder(EventPublisher):
    """Keeps the topics of what is published."""

    def __init__(self):
        super().__init__("", "tests", print)
        self.topics = []

    def publish(self, topic, event):
        self.topics.append(topic.rpartition("/")[2])


@pytest.fixture
def command(tmp_path):
    io = TaskIO("", f"file://{tmp_path}/out", f"file://{tmp_path}/err", terminal=False)
    command = ExecProcess("c", "x", ["status"], io, Recorder())
    io.open("c", "tests")
    yield command
    io.close()


def test_where_no_thread_can_be_started_the_command_can_be_started_again(command, monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threads, "start", refuse)
        with pytest.raises(HostFault, match="can't start new thread"):
            command.start(ExecResult(0, b"text"))
    assert (command.status, command._publisher.topics) == (Status.CREATED, [])
    command.terminate()  # does not wait for a command that never started
    command.io.open("c", "tests")
    command.start(ExecResult(0, b"text"))
    assert command.wait(5).status == 0
    with open(command.io.names[1].removeprefix("file://")) as file:
        assert file.read() == "text"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [OSError("planted"), ValueError("planted"), MemoryError()])
def test_a_command_whose_output_cannot_be_written_ends(command, error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(command, "_write", fail)
    command.start(ExecResult(0, b"text"))
    assert command.wait(5).status == 1
    assert command._publisher.topics == ["exec-started", "exit"]


def test_the_end_wakes_those_who_wait_though_its_event_cannot_be_queued(command, monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(command._publisher, "publish", refuse)
    with pytest.raises(MemoryError):
        command._run(ExecResult(0, b""))
    assert command.wait(0) is not None
