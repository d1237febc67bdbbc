"""Proves that Compose runs firmware beside an ordinary service, which waits until it is healthy."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from tests.engines.conftest import PROBE
from tests.engines.ours import ETC, RUNTIME
from tests.engines.process import Result, wait_until
from tests.engines.releases import DOCKER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SCRIPT = os.path.join(os.path.dirname(__file__), "../../script/compose")


@pytest.fixture(scope="session")
def program() -> str:
    if os.geteuid() != 0:
        pytest.skip("container engines need root")
    return subprocess.run([SCRIPT], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


class Compose:
    """The services of one file, and the client."""

    def __init__(self, docker: Any, program: str, services: dict[str, Any]) -> None:
        self._docker = docker
        self._file = f"{docker.host.base}/conf/compose.json"
        self._program = program
        with open(self._file, "w") as file:
            json.dump({"name": "board", "services": services}, file)

    def __call__(self, *words: str, timeout: float = 120) -> Result:
        argv = [self._program, "-f", self._file, *words]
        env = self._docker._environment
        return self._docker.host.run(*argv, env=env, timeout=timeout).check()


def firmware_service(processor: str, check: str, **more: Any) -> dict[str, Any]:
    return {
        "image": "localhost/hello:1",
        "runtime": RUNTIME,
        "annotations": {"remoteproc.name": processor},
        "network_mode": "none",
        "healthcheck": {"test": ["CMD-SHELL", check], "interval": "1s", "retries": 20},
        **more,
    }


@pytest.mark.parametrize("version", DOCKER)
def test_an_ordinary_service_waits_for_two_that_are_firmware(
    start_docker, firmware, probe, program, version
):
    docker = start_docker(version, etc=ETC)
    docker.load(firmware("hello", docker=True))
    docker.load(probe(docker=True))
    healthy = {"condition": "service_healthy"}
    services = {
        "gateway": {
            "image": PROBE,
            "network_mode": "none",
            "depends_on": {"pump": healthy, "fan": healthy},
        },
        "pump": firmware_service("m3-0", "printed 'tick 2' || exit 1", restart="on-failure"),
        "fan": firmware_service("m3-1", "status && printed-within 30 || exit 1", init=True),
    }
    compose = Compose(docker, program, services)
    compose("up", "-d", "--wait")
    lines = compose("ps", "--format", "json").text.splitlines()
    shown = {each["Service"]: each for each in map(json.loads, lines)}
    assert {name: each["State"] for name, each in shown.items()} == dict.fromkeys(
        services, "running"
    )
    assert [shown[name]["Health"] for name in ("pump", "fan")] == ["healthy"] * 2
    started = {n: docker.inspect(f"board-{n}-1")["State"] for n in services}
    for name in ("pump", "fan"):
        first_good = next(each for each in started[name]["Health"]["Log"] if not each["ExitCode"])
        assert started[name]["StartedAt"] < started["gateway"]["StartedAt"], started
        assert first_good["ExitCode"] == 0
    assert "tick 2" in compose("logs", "pump").stdout
    compose("restart", "-t", "5", "pump")
    assert wait_until(lambda: "healthy" in compose("ps", "pump").stdout, 20)
    compose("stop", "fan")
    assert docker.inspect("board-fan-1")["State"]["ExitCode"] == 0
    compose("down", "-t", "2")
    assert not docker.docker("ps", "-aq").text
