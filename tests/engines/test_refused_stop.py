"""Proves that a stop that the driver refuses never looks like an end, under each engine."""

from __future__ import annotations

import json

import grpc
import pytest

from tests.engines.boards import CONFIG, ROOT, Board
from tests.engines.conftest import PROBE
from tests.engines.containerd import PAUSE
from tests.engines.ours import RUNTIME
from tests.engines.process import wait_until
from tests.engines.releases import CONTAINERD, DOCKER, PODMAN
from tests.engines.test_podman_remoteproc import Bench

# What Docker says in the end; the second, if it looks before the shim has reaped the supervisor.
GIVEN_UP = ("did not receive an exit event", "is zombie and can not be killed")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("version", DOCKER)
def test_docker_stop(start_docker, firmware, runtime_path, version):
    docker = start_docker(version, etc=CONFIG)
    docker.load(firmware("hello-traced", docker=True))
    board = Board(docker.host, runtime_path)
    try:
        for number, name in enumerate(("one", "two")):
            where = ("--runtime", RUNTIME, "--annotation", f"remoteproc.name=m3-{number}")
            docker.run("-d", "--name", name, *where, "localhost/hello-traced:1")
            board.inject(number, "stop_error", "EBUSY")
        # Docker kills the supervisor itself in the end, and waits for an exit.
        for number, command in enumerate((("stop", "-t", "1", "one"), ("rm", "-f", "two"))):
            refused = docker.docker(*command, check=False)
            assert refused.code != 0 and any(said in refused.stderr for said in GIVEN_UP), refused
            assert docker.inspect(command[-1])["State"]["Status"] == "running"
            assert board.states()[number] == "running"
        said = docker.docker("logs", "one").stderr
        assert said.count("cannot stop processor m3-0: Device or resource busy (EBUSY)") >= 2, said
        shown = docker.host.run("remoteproc-runtime", "processors", "--format", "json").stdout
        assert "left running by" in shown and docker.inspect("one")["Id"] in shown, shown
        for number, name in enumerate(("one", "two")):
            board.inject(number, "stop_error", "0")
            docker.docker("stop", "-t", "1", name)
            assert docker.inspect(name)["State"]["Status"] == "exited"
            assert board.states()[number] == "offline"
        docker.docker("rm", "one", "two")
    finally:
        board.close()


@pytest.mark.parametrize("version", [version for version in PODMAN if version != "4"])
def test_podman_stop_and_the_way_out(start_podman, runtime_path, tmp_path, version):
    runtime = f"{runtime_path}/remoteproc-runtime"
    bench = Bench(start_podman(version, runtime=runtime, etc=CONFIG), str(tmp_path))
    host = bench.engine.host
    board = Board(host, runtime_path)
    try:
        bench.load("hello-traced")
        bench.start("hello-traced")
        board.inject(0, "stop_error", "EBUSY")
        for command in (("stop", "-t", "1", "one"), ("rm", "-f", "-t", "1", "one")):
            refused = bench.podman(*command, check=False)
            assert refused.code != 0, refused
            assert bench.status() in ("running", "stopping") and board.states()[0] == "running"
        assert bench.podman("logs", "one").stderr.count("EBUSY") >= 2
        kept = host.run(runtime, "release", "m3-0")
        assert kept.code == 1 and "which lives; delete that container, or release" in kept.stderr
        host.run(runtime, "release", "--force", "m3-0").check()
        assert board.states()[0] == "running" and bench.ended() == 137
        bench.podman("rm", "-f", "one")
        left = bench.run("hello-traced", "-d", "--name", "two", check=False)
        assert left.code != 0 and "no container of ours runs there" in left.stderr, left
        board.inject(0, "stop_error", "0")
        state = f"{ROOT}/sys/class/remoteproc/remoteproc0/state"
        host.run("sh", "-c", f"echo stop > {state}").check()
        bench.podman("start", "two")
        bench.remove("two")
    finally:
        board.close()


def test_what_podman_4_forgets_is_kept_here(start_podman, runtime_path, tmp_path):
    """Podman 4.3 waits for an end after a `kill` that failed, and takes it for one."""
    runtime = f"{runtime_path}/remoteproc-runtime"
    bench = Bench(start_podman("4", runtime=runtime, etc=CONFIG), str(tmp_path))
    host = bench.engine.host
    board = Board(host, runtime_path)
    try:
        bench.load("hello-traced")
        bench.start("hello-traced")
        container = bench.engine.inspect("one")["Id"]
        board.inject(0, "stop_error", "EBUSY")
        for command in (("stop", "-t", "1", "one"), ("rm", "-f", "-t", "1", "one")):
            refused = bench.podman(*command, check=False)
            assert refused.code == 125 and "(EBUSY)" in refused.stderr, refused
            state = json.loads(host.run(runtime, "state", container).stdout)
            assert state["status"] == "running"
            path = state["annotations"]["remoteproc.resolved-path"]
            assert path == f"{ROOT}/sys/class/remoteproc/remoteproc0"
            assert board.states()[0] == "running"
        assert bench.podman("ps", "-aq").text == ""
        board.inject(0, "stop_error", "0")
        host.run(runtime, "delete", "--force", container).check()
        assert board.states()[0] == "offline"
    finally:
        board.close()


@pytest.mark.parametrize("version", CONTAINERD)
def test_ctr_and_the_kubelet(start_containerd, firmware, probe, runtime_path, tmp_path, version):
    containerd = start_containerd(version, etc=CONFIG)
    containerd.load(firmware("hello-traced"))
    for archive in (firmware("hello-traced"), probe(PAUSE), probe(PROBE)):
        containerd.load(archive, "k8s.io")
    board, image = Board(containerd.host, runtime_path), "localhost/hello-traced:1"
    refusal = r"cannot stop processor m3-\d: Device or resource busy \(EBUSY\)"

    def task(status):
        return f" {status}" in containerd.ctr("task", "ls").stdout

    try:
        flags = ("-d", "--runtime", RUNTIME, "--annotation", "remoteproc.name=m3-1")
        containerd.ctr("run", *flags, image, "one")
        names = {"remoteproc.name": "m3-0"}
        pod = containerd.cri.run_pod("board", str(tmp_path), "remoteproc", annotations=names)
        main = containerd.cri.create(pod, "main", image)
        containerd.cri.start(main)
        for number in (0, 1):
            board.inject(number, "stop_error", "EBUSY")
        for signal in ("TERM", "KILL"):
            refused = containerd.ctr("task", "kill", "--signal", signal, "one", check=False)
            assert refused.code == 1 and "(EBUSY)" in refused.stderr, refused
        with pytest.raises(grpc.RpcError, match=refusal):
            containerd.cri.stop(main, grace=1)
        assert containerd.cri.status(main).state == containerd.cri.pb.CONTAINER_RUNNING
        assert task("RUNNING") and board.states()[:2] == ["running", "running"]
        for number in (0, 1):
            board.inject(number, "stop_error", "0")
        containerd.ctr("task", "kill", "one")
        assert wait_until(lambda: task("STOPPED"), 10)
        containerd.ctr("task", "rm", "one")
        containerd.ctr("container", "rm", "one")
        containerd.cri.stop(main)
        assert board.states()[:2] == ["offline", "offline"]
        containerd.cri.remove_pod(pod)
    finally:
        board.close()
