"""Proves what the shim's program says: the three forms of reply, sockets dead and alive, -info."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st

from adapters.containerd import protobuf_wire, sockets, start
from adapters.containerd.api.bootstrap_pb2 import BootstrapParams, BootstrapResult
from adapters.containerd.api.runc_options_pb2 import Options
from adapters.containerd.api.task_pb2 import ConnectRequest, ConnectResponse, DeleteResponse
from adapters.containerd.api.types_pb2 import RuntimeInfo
from adapters.containerd.bootstrap_reply import read_bootstrap, reply
from adapters.containerd.delete import delete_response
from adapters.containerd.flags import parse
from adapters.containerd.times import timestamp
from adapters.containerd.ttrpc.client import Client
from domain.container import Exit
from domain.errors import InvalidRequest, NotFound
from tests.engines.process import wait_until

PROGRAM = os.path.join(os.path.dirname(sys.executable), "containerd-shim-remoteproc-v1")
PARAMS = BootstrapParams(
    instance_id="one",
    namespace="tests",
    containerd_ttrpc_address="/none.ttrpc",
    containerd_grpc_address="/none",
)
OPTIONS = Any(type_url="containerd.runc.v1.Options", value=Options(root="x").SerializeToString())


def run(*arguments, stdin=b"", cwd=None, **environment):
    path = os.environ["PATH"]
    return subprocess.run(
        [PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={"PATH": path, **environment},
        timeout=20,
    )


class TestStart:
    """The real program. Its sockets go to a directory of the test's, by BootstrapParams."""

    @pytest.fixture
    def start(self, tmp_path):
        servers = []

        def started(name="one", annotations=None):
            bundle = tmp_path / name
            bundle.mkdir(exist_ok=True)
            (bundle / "config.json").write_text(json.dumps({"annotations": annotations or {}}))
            params = BootstrapParams(socket_dir=str(tmp_path / "s"))
            params.MergeFrom(PARAMS)
            params.instance_id = name
            flags = ["-namespace", "tests", "-address", "/none", "-publish-binary", "x"]
            done = run(*flags, "-id", name, "start", stdin=params.SerializeToString(), cwd=bundle)
            assert (done.returncode, done.stderr) == (0, b"")
            address = BootstrapResult.FromString(done.stdout).address
            with Client.connect(address, 10) as client:
                service = "containerd.task.v3.Task"
                answer = client.call(
                    service, "Connect", ConnectRequest(id=name), ConnectResponse, timeout=10
                )
            servers.append(answer.shim_pid)
            return address, answer.shim_pid

        yield started
        for pid in set(servers):
            descriptor = os.pidfd_open(pid)
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)

            def gone(pid=pid):
                return not os.path.exists(f"/proc/{pid}/exe")

            wait_until(gone, 5)
            os.close(descriptor)

    def test_serves_and_leaves_its_address(self, start, tmp_path):
        address, pid = start()
        assert (tmp_path / "one/address").read_text() == address
        assert os.readlink(tmp_path / "one/s") == str(tmp_path / "s")
        assert os.stat(address.removeprefix("unix://")).st_mode & 0o777 == 0o600
        with open(f"/proc/{pid}/oom_score_adj") as file, open("/proc/self/oom_score_adj") as own:
            assert int(file.read()) == min(int(own.read()) + 1, 1000)
        assert os.readlink(f"/proc/{pid}/cwd") == str(tmp_path / "one")

    def test_a_group_shares_one(self, start):
        first = start("one", {"io.kubernetes.cri.sandbox-id": "pod"})
        assert start("two", {"io.kubernetes.cri.sandbox-id": "pod"}) == first
        assert start("two", {"io.containerd.runc.v2.group": "other"}) != first

    def test_the_same_again_after_a_kill(self, start):
        address, pid = start()
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not sockets.is_served(address.removeprefix("unix://")), 5)
        again, other = start()
        assert again == address and other != pid

    def test_without_a_bundle(self, tmp_path):
        done = run("-namespace", "tests", "-id", "one", "start", cwd=tmp_path)
        assert done.returncode == 1 and b"config.json does not exist" in done.stderr
        assert done.stderr.count(b"\n") == 1 and done.stdout == b""


class TestReplies:
    def test_from_2_3_on_protobuf(self):
        bootstrap = read_bootstrap(PARAMS.SerializeToString(), "one", "tests")
        result = BootstrapResult.FromString(reply("unix:///s", bootstrap, {}))
        assert (result.version, result.address, result.protocol) == (3, "unix:///s", "ttrpc")
        assert bootstrap
        assert (bootstrap.grpc_address, bootstrap.ttrpc_address) == ("/none", "/none.ttrpc")

    @pytest.mark.parametrize(
        "stdin",
        [
            b"",
            OPTIONS.SerializeToString(),
            Options(root="x").SerializeToString(),
            PARAMS.SerializeToString()[:-1],
            b"\xff" * 30,
            BootstrapParams(instance_id="two", namespace="tests").SerializeToString(),
        ],
    )
    def test_anything_else_is_no_bootstrap(self, stdin):
        assert read_bootstrap(stdin, "one", "tests") is None

    def test_before_that_json_and_before_that_the_address(self):
        answer = json.loads(reply("unix:///s", None, {"MAX_SHIM_VERSION": "2"}))
        assert answer == {"version": 2, "address": "unix:///s", "protocol": "ttrpc"}
        assert reply("unix:///s", None, {}) == b"unix:///s"


def test_fields_are_those_of_protobuf():
    text = "\N{SNOWMAN}" * 100
    encoded = protobuf_wire.number_field(1, 3000) + protobuf_wire.text_field(2, text)
    assert encoded == BootstrapResult(version=3000, address=text).SerializeToString()
    assert list(protobuf_wire.read_fields(encoded)) == [(1, 3000), (2, text.encode())]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.floats(0, 253402300799),
)
def test_a_delete_response_is_protobufs(pid, status, at):
    whole = DeleteResponse(pid=pid, exit_status=status, exited_at=timestamp(at))
    encoded = delete_response(pid, Exit(status, at))
    assert encoded == whole.SerializeToString(deterministic=True)


class TestSockets:
    def test_a_served_socket_stays(self, tmp_path):
        path = str(tmp_path / "s/x")
        first = sockets.listen(path)
        assert first is not None
        assert sockets.listen(path) is None
        sockets.remove_dead(path)
        assert os.path.exists(path)
        first.close()
        second = sockets.listen(path)
        assert second is not None
        second.close()
        sockets.remove_dead(path)
        assert not os.path.exists(path)

    def test_a_busy_one_is_alive(self, tmp_path):
        path = str(tmp_path / "x")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(0)
            waiting = []
            for _ in range(3):
                client = socket.socket(socket.AF_UNIX)
                client.setblocking(False)
                waiting.append(client)
                try:
                    client.connect(path)
                except BlockingIOError:
                    break
            assert sockets.is_served(path)
            for client in waiting:
                client.close()

    @pytest.mark.parametrize("group", ["../../etc/x", "a" * 200, "é", "a b", "."])
    def test_no_group_leads_out_of_the_directory(self, group):
        path = sockets.path_for("", "/run/containerd/containerd.sock", "moby", group)
        assert os.path.dirname(os.path.normpath(path)) == sockets.DIRECTORY
        assert len(path) <= 106

    def test_groups_and_namespaces_are_apart(self):
        places = [("d", "a", "n", "g"), ("d", "b", "n", "g"), ("d", "a", "m", "g")]
        places += [("d", "a", "n-g", "h"), ("d", "a", "n", "g-h")]
        assert len({sockets.path_for(*place) for place in places}) == len(places)


@pytest.mark.parametrize("text", ["{", "[]", '{"annotations": 3}', "[" * 100000])
def test_what_is_no_bundle(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises((InvalidRequest, NotFound)):
        start.group("one")


def test_command_lines():
    call = parse(["-namespace", "n", "-address=a", "-id", "i", "-debug", "-bundle", "b", "delete"])
    assert (call.namespace, call.address, call.id, call.bundle) == ("n", "a", "i", "b")
    assert (call.action, call.debug) == ("delete", True)
    assert parse(["--id", "i", "-debug=false", "start"]).debug is False
    assert parse(["-info"]).action == "info" and parse(["-v"]).action == "version"
    for wrong in ([], ["stop"], ["-what", "start"], ["-id"], ["start", "start"]):
        with pytest.raises(InvalidRequest):
            parse(wrong)


def test_info_and_version():
    answer = RuntimeInfo.FromString(run("-info", stdin=OPTIONS.SerializeToString()).stdout)
    assert answer.name == "io.containerd.remoteproc.v1" and answer.version.version
    assert answer.version.version in run("-v").stdout.decode()
    assert run("-nonsense").returncode == 1
