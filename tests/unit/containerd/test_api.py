"""The messages have containerd's names, numbers and bytes, and are what their sources generate."""

from __future__ import annotations

import filecmp
import os
import subprocess

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from adapters.containerd.api import (
    anys,
    bootstrap_pb2,
    cgroups_v1_pb2,
    cgroups_v2_pb2,
    events_pb2,
    forward_pb2,
    process_pb2,
    runc_options_pb2,
    runtimeoptions_pb2,
    task_pb2,
    types_pb2,
)
from adapters.containerd.ttrpc import envelope_pb2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (types_pb2.Mount, "containerd.types.Mount"),
        (types_pb2.Envelope, "containerd.types.Envelope"),
        (types_pb2.RuntimeInfo, "containerd.types.RuntimeInfo"),
        (process_pb2.ProcessInfo, "containerd.v1.types.ProcessInfo"),
        (task_pb2.CreateTaskRequest, "containerd.task.v2.CreateTaskRequest"),
        (events_pb2.TaskExit, "containerd.events.TaskExit"),
        (events_pb2.TaskOOM, "containerd.events.TaskOOM"),
        (forward_pb2.ForwardRequest, "containerd.services.events.ttrpc.v1.ForwardRequest"),
        (bootstrap_pb2.BootstrapParams, "containerd.runtime.bootstrap.v1.BootstrapParams"),
        (runtimeoptions_pb2.Options, "runtimeoptions.v1.Options"),
        (runc_options_pb2.Options, "containerd.runc.v1.Options"),
        (cgroups_v1_pb2.Metrics, "io.containerd.cgroups.v1.Metrics"),
        (cgroups_v2_pb2.Metrics, "io.containerd.cgroups.v2.Metrics"),
    ],
)
def test_full_names_are_containerds(message, name):
    assert message.DESCRIPTOR.full_name == name
    assert anys.pack(message()).type_url == name


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (task_pb2.CreateTaskRequest, "id1 bundle2 rootfs3 terminal4 stdin5 stdout6 stderr7"
         " checkpoint8 parent_checkpoint9 options10"),
        (task_pb2.StateResponse, "id1 bundle2 pid3 status4 stdin5 stdout6 stderr7 terminal8"
         " exit_status9 exited_at10 exec_id11"),
        (task_pb2.ExecProcessRequest, "id1 exec_id2 terminal3 stdin4 stdout5 stderr6 spec7"),
        (task_pb2.DeleteResponse, "pid1 exit_status2 exited_at3"),
        (task_pb2.KillRequest, "id1 exec_id2 signal3 all4"),
        (task_pb2.ConnectResponse, "shim_pid1 task_pid2 version3"),
        (task_pb2.UpdateTaskRequest, "id1 resources2 annotations3"),
        (events_pb2.TaskCreate, "container_id1 bundle2 rootfs3 io4 checkpoint5 pid6"),
        (events_pb2.TaskExit, "container_id1 id2 pid3 exit_status4 exited_at5"),
        (events_pb2.TaskDelete, "container_id1 pid2 exit_status3 exited_at4 id5"),
        (types_pb2.Envelope, "timestamp1 namespace2 topic3 event4"),
        (bootstrap_pb2.BootstrapParams, "instance_id1 namespace2 log_level3 containerd_version4"
         " containerd_ttrpc_address5 containerd_grpc_address6 containerd_binary7 extensions8"
         " socket_dir9"),
        (bootstrap_pb2.BootstrapResult, "version1 address2 protocol3 capabilities4 metadata5"),
        (types_pb2.RuntimeInfo, "name1 version2 options3 features4 annotations5"),
        (cgroups_v1_pb2.Metrics, "pids2 cpu3 memory4 memory_oom_control9"),
        (cgroups_v2_pb2.Metrics, "pids1 cpu2 memory4 memory_events8"),
    ],
)  # fmt: skip
def test_fields_have_the_numbers_of_the_wire(message, fields):
    assert " ".join(f"{f.name}{f.number}" for f in message.DESCRIPTOR.fields) == fields


def test_statuses_have_the_numbers_of_the_wire():
    assert dict(process_pb2.Status.items()) == {
        "UNKNOWN": 0,
        "CREATED": 1,
        "RUNNING": 2,
        "STOPPED": 3,
        "PAUSED": 4,
        "PAUSING": 5,
    }


def test_negative_log_levels_and_ones_to_come_are_read():
    level = bootstrap_pb2.BootstrapParams(log_level=bootstrap_pb2.LOG_LEVEL_TRACE)
    assert bootstrap_pb2.BootstrapParams.FromString(level.SerializeToString()).log_level == -8
    assert bootstrap_pb2.BootstrapParams.FromString(b"\x18\x63").log_level == 99


@pytest.mark.parametrize("reply", [b'{"version":2}', b"unix:///run/containerd/s/abc"])
def test_replies_in_json_or_plain_are_not_taken_for_protobuf(reply):
    with pytest.raises(DecodeError):
        bootstrap_pb2.BootstrapResult.FromString(reply)


@given(st.text(max_size=20), st.integers(0, 2**32 - 1))
def test_a_packed_message_is_unpacked(text, number):
    exit_ = events_pb2.TaskExit(container_id=text, exit_status=number)
    wrapped = anys.pack(exit_)
    assert anys.unpack(Any.FromString(wrapped.SerializeToString()), events_pb2.TaskExit) == exit_


def test_a_url_with_a_host_names_the_same_message():
    wrapped = Any(type_url="type.googleapis.com/containerd.runc.v1.Options")
    assert anys.holds(wrapped, runc_options_pb2.Options)
    assert anys.unpack(wrapped, runc_options_pb2.Options) == runc_options_pb2.Options()
    assert not anys.holds(wrapped, runtimeoptions_pb2.Options)


@pytest.mark.parametrize(
    ("wrapped", "said"),
    [
        (Any(), "containerd.events.TaskExit wanted, the Any holds nothing"),
        (Any(type_url="a.B"), "containerd.events.TaskExit wanted, the Any holds a.B"),
        (Any(type_url="containerd.events.TaskExit", value=b"\xff"), "not a valid message"),
    ],
)
def test_another_message_is_refused(wrapped, said):
    with pytest.raises(ValueError, match=said):
        anys.unpack(wrapped, events_pb2.TaskExit)


@pytest.mark.parametrize("module", [envelope_pb2, task_pb2])
def test_the_generated_code_takes_the_protobuf_of_any_distribution(module):
    with open(module.__file__, encoding="utf-8") as file:
        assert "ValidateProtobufRuntimeVersion" not in file.read()


def files_under(top: str) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(folder, name), top)
        for folder, _, names in os.walk(top)
        for name in names
        if name.endswith(("_pb2.py", "_pb2.pyi"))
    )


@pytest.mark.slow
@pytest.mark.timeout(600)  # it may install protoc over the network
def test_generating_again_gives_the_same_bytes(tmp_path):
    subprocess.run([f"{ROOT}/script/protoc", tmp_path], check=True)
    made = files_under(str(tmp_path))
    assert made == [f"adapters/{f}" for f in files_under(f"{ROOT}/adapters")]
    assert filecmp.cmpfiles(tmp_path, ROOT, made, shallow=False) == (made, [], [])
