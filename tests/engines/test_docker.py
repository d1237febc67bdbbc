"""Proves that the harness starts each dockerd, drives it, and restarts and upgrades it."""

from __future__ import annotations

import pytest

from tests.engines.conftest import PROBE
from tests.engines.process import wait_until
from tests.engines.releases import DOCKER, OLDEST

pytestmark = pytest.mark.slow
each_version = pytest.mark.parametrize("version", DOCKER)


@each_version
def test_runs_a_container_and_leaves_nothing(start_docker, probe, version):
    docker = start_docker(version)
    docker.load(probe(docker=True))
    ran = docker.run("--name", "one", PROBE, "say", "hello", "3", check=False)
    assert (ran.code, ran.text) == (3, "hello"), ran
    assert docker.docker("logs", "one").text == "hello"
    assert docker.inspect("one")["State"]["ExitCode"] == 3
    docker.docker("rm", "one")


@each_version
def test_stops_a_container(start_docker, probe, version):
    docker = start_docker(version)
    docker.load(probe(docker=True))
    docker.run("-d", "--name", "one", "--annotation", "remoteproc.name=m4", PROBE)
    assert docker.inspect("one")["HostConfig"]["Annotations"] == {"remoteproc.name": "m4"}
    assert wait_until(lambda: docker.docker("logs", "one").text == "waiting", 5)
    waiting = docker.background("wait", "one")
    assert waiting.running()
    docker.docker("stop", "one")
    assert (waiting.wait(5), waiting.output().strip()) == (0, "0")
    assert docker.inspect("one")["State"]["ExitCode"] == 0
    docker.docker("rm", "one")


@each_version
def test_runtime_given_by_path(start_docker, releases, probe, version):
    runc = releases.binary(OLDEST, "runc")
    docker = start_docker(version, runtimes={"other": {"path": runc}})
    docker.load(probe(docker=True))
    ran = docker.run("--rm", "--runtime", "other", PROBE, "say", "by path", "0")
    assert ran.text == "by path"


@pytest.mark.parametrize("kill", [False, True], ids=["graceful", "killed"])
def test_container_outlives_an_upgrade_of_both_daemons(start_docker, probe, kill):
    docker = start_docker("26", live_restore=True)
    docker.load(probe(docker=True))
    docker.run("-d", "--name", "one", PROBE)
    pid = docker.inspect("one")["State"]["Pid"]
    docker.restart("28", kill=kill, containerd=True)
    state = docker.inspect("one")["State"]
    assert (state["Status"], state["Pid"]) == ("running", pid)
    docker.docker("rm", "-f", "one")
