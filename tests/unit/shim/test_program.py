"""Proves what the shim's program says: the three forms of reply, sockets dead and alive, -info."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
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
from adapters.linux.unix_sockets import is_served
from bootstrap import shim
from domain.container import Exit
from domain.errors import InvalidRequest, NotFound
from tests.contract.children import child
from tests.engines.process import wait_until
from tests.unit.sim.helpers import alive

PROGRAM = os.path.join(os.path.dirname(sys.executable), "containerd-shim-remoteproc-v1")
PARAMS = BootstrapParams(
    instance_id="one",
    namespace="tests",
    containerd_ttrpc_address="/none.ttrpc",
    containerd_grpc_address="/none",
)
OPTIONS = Any(type_url="containerd.runc.v1.Options", value=Options(root="x").SerializeToString())


def run(*arguments, stdin=b"", cwd=None, files=None, **environment):
    """Run the program. Callers with another limit of open `files` have another fork server."""

    def limit():
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files or soft, hard))

    path = os.environ["PATH"]
    return subprocess.run(
        [PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={"PATH": path, **environment},
        preexec_fn=limit,
        timeout=20,
    )


def parent_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("PPid:"))


def name_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


class TestStart:
    """The real program. Its sockets go to a directory of the test's, by BootstrapParams."""

    @pytest.fixture
    def start(self, tmp_path):
        servers = []
        files = 1000 + os.getpid() % 3000  # no other worker's

        def started(name="one", annotations=None):
            bundle = tmp_path / name
            bundle.mkdir(exist_ok=True)
            (bundle / "config.json").write_text(json.dumps({"annotations": annotations or {}}))
            params = BootstrapParams(socket_dir=str(tmp_path / "s"))
            params.MergeFrom(PARAMS)
            params.instance_id = name
            flags = ["-namespace", "tests", "-address", "/none", "-publish-binary", "x"]
            stdin = params.SerializeToString()
            done = run(*flags, "-id", name, "start", stdin=stdin, cwd=bundle, files=files)
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
        for parent in {parent_of(pid) for pid in servers}:
            if parent and name_of(parent) == "rproc-forks":
                os.kill(parent, signal.SIGTERM)  # it would stay for a minute
        for pid in filter(alive, set(servers)):
            descriptor = os.pidfd_open(pid)
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)

            def gone(pid=pid):
                return not alive(pid)

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
        assert wait_until(lambda: not is_served(address.removeprefix("unix://")), 5)
        again, other = start()
        assert again == address and other != pid

    def test_a_resident_process_forks_the_shims(self, start):
        parents = {parent_of(start(name)[1]) for name in ("one", "two", "three")}
        assert len(parents) == 1 and name_of(*parents) == "rproc-forks"

    def test_a_shim_outlives_the_process_that_forked_it(self, start):
        first, pid = start("one")
        server = parent_of(pid)
        os.kill(server, signal.SIGKILL)
        assert wait_until(lambda: not alive(server), 5)
        _, other = start("two")
        assert start("one") == (first, pid)
        assert parent_of(other) != parent_of(pid) and name_of(parent_of(other)) == "rproc-forks"

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

    def test_the_socket_of_a_killed_process_is_removed_once_its_bundle_is_gone(self, tmp_path):
        directory, bundles = tmp_path / "s", [tmp_path / "one", tmp_path / "two"]
        for bundle in bundles:
            bundle.mkdir()

        def begin(name, bundle):
            return sockets.listen(f"{directory}/{name}", bundle=str(bundle))

        def start(ready):
            kept = begin("first", bundles[0])
            ready()
            assert kept, "and stays open until this process is killed"

        with child(start):
            bundles[0].rmdir()
            begin("second", bundles[1]).close()
            assert (directory / "first").exists(), "a process serves it"
        kept = begin("third", bundles[1])
        there = ["second", "third"]
        notes = [f"remoteproc-bundle-of-{name}" for name in there]
        assert sorted(os.listdir(directory)) == [*notes, *there], "the second's bundle is there"
        bundles[1].rmdir()
        sockets.remove_dead(f"{directory}/first")
        assert sorted(os.listdir(directory)) == [notes[1], there[1]], "as containerd's delete does"
        kept.close()
        sockets.remove(f"{directory}/third")
        assert os.listdir(directory) == []

    def test_callers_queue_while_the_shim_is_busy(self, tmp_path):
        """400 at once had made the kernel refuse the next."""
        path = str(tmp_path / "x")
        listener = sockets.listen(path)
        assert listener
        with contextlib.closing(listener), contextlib.ExitStack() as stack:
            for _ in range(600):  # nobody accepts them
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(path)  # BlockingIOError where the queue is full

    def test_what_cannot_be_asked_is_not_taken_for_dead(self, tmp_path, monkeypatch):
        path = str(tmp_path / "x")
        listener = sockets.listen(path)
        assert listener

        class Probe:
            settimeout = close = lambda *_: None

            def connect(self, _):
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

        monkeypatch.setattr(sockets, "socket", lambda *_: Probe())
        assert is_served(path)
        listener.close()

    def test_400_idle_connections_do_not_keep_the_next_caller_out(self, tmp_path):
        path = str(tmp_path / "x")
        listener = sockets.listen(path)
        assert listener
        clients = []
        for _ in range(401):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            clients.append(client)
            client.connect(path)  # raises if the queue is full
        for client in clients:
            client.close()
        listener.close()

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
            assert is_served(path)
            for client in waiting:
                client.close()

    @pytest.mark.parametrize("group", ["../../etc/x", "a" * 200, "é", "a b", ".", "\ud800"])
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
        start.group()


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


def test_a_container_that_cannot_be_looked_at_does_not_count_as_deleted(monkeypatch):
    def failing(_path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "lstat", failing)
    with pytest.raises(OSError, match="Input/output error"):
        shim._run(parse(["-id", "one", "-namespace", "tests", "delete"]))
