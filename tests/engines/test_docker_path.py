"""Proves that dockerd runs firmware by the command line alone, as a runtime given by its path."""

from __future__ import annotations

import json
import os

import pytest

from tests.engines.ours import ETC
from tests.engines.process import wait_until
from tests.engines.releases import DOCKER

EXAMPLE = os.path.join(os.path.dirname(__file__), "../../examples/daemon-path.json")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(params=DOCKER)
def docker(request, start_docker, runtime_path, firmware):
    with open(EXAMPLE) as file:  # the entry that the documents show
        text = file.read().replace("/usr/local/bin", runtime_path).replace("m4", "m3-1")
    runtimes = {"remoteproc": {"path": f"{runtime_path}/remoteproc-runtime"}}
    runtimes |= json.loads(text)["runtimes"]
    docker = start_docker(request.param, etc=ETC, runtimes=runtimes)
    for program in ("hello", "exit", "crash"):
        docker.load(firmware(program, docker=True))
    return docker


def words(program, *options):
    where = ["--runtime", "remoteproc", "--annotation", "remoteproc.name=m3-0"]
    return [*where, *options, f"localhost/{program}:1"]


def test_run_logs_stop_start(docker):
    docker.run("-d", "--name", "one", *words("hello"))
    assert wait_until(lambda: "tick 2" in docker.docker("logs", "one").stdout, 10)
    docker.docker("stop", "one")
    state = docker.inspect("one")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    docker.docker("start", "one")
    assert docker.inspect("one")["State"]["Running"]
    docker.docker("kill", "one")
    assert wait_until(lambda: docker.inspect("one")["State"]["ExitCode"] == 137, 10)
    docker.docker("rm", "one")


@pytest.mark.parametrize(("program", "code"), [("exit", 7), ("crash", 139)])
def test_exit_codes(docker, program, code):
    assert docker.run("--rm", *words(program), check=False).code == code


def test_a_crash_restarts(docker):
    docker.run("-d", "--name", "one", *words("crash", "--restart", "on-failure:2"))
    count = lambda: docker.inspect("one")["RestartCount"]  # noqa: E731
    assert wait_until(lambda: count() == 2 and not docker.inspect("one")["State"]["Running"], 30)
    assert docker.inspect("one")["State"]["ExitCode"] == 139
    docker.docker("rm", "one")


def test_errors_are_shown(docker):
    wrong = ["--runtime", "remoteproc", "--annotation", "remoteproc.name=m9", "localhost/hello:1"]
    ran = docker.run("--name", "one", *wrong, check=False)
    assert ran.code != 0 and "there is no processor m9" in ran.stderr, ran
    docker.docker("rm", "one")


def test_a_runtime_for_one_processor_needs_no_annotation(docker):
    docker.run("-d", "--name", "one", "--runtime", "m3-1", "localhost/hello:1")
    assert "running on m3-1" in docker.docker("exec", "one", "status").stdout
    docker.docker("rm", "-f", "one")


def test_exec_and_info(docker):
    docker.run("-d", "--name", "one", *words("hello"))
    assert "running on m3-0" in docker.docker("exec", "one", "status").stdout
    assert docker.docker("exec", "one", "sh", check=False).code == 127
    info = json.loads(docker.docker("info", "-f", "{{json .Runtimes}}").stdout)
    assert "remoteproc" in info
    docker.docker("rm", "-f", "one")
