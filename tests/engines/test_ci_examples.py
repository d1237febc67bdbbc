"""Proves that the examples for CI run: their own steps, with firmware that passes, fails, hangs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import yaml

from tests.engines.ours import SAMPLES
from tests.engines.process import Result
from tests.engines.test_compose import program as program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
EXAMPLES = os.path.join(os.path.dirname(__file__), "../../examples")
ETC = {"remoteproc-runtime/config.yaml": "backend: sim\nboard: mps2-an385\n"}


class Steps(NamedTuple):
    """What a service runs: in order, until one fails; and then, whatever happened."""

    work: list[str]
    after: list[str]


def github() -> Steps:
    """All steps that are scripts, but the one that installs on the service's machine."""
    with open(f"{EXAMPLES}/ci/github.yaml") as file:
        (job,) = yaml.safe_load(file)["jobs"].values()
    steps = [step for step in job["steps"] if "run" in step and step["name"] != "Install"]
    after = [step["run"] for step in steps if step.get("if") == "always()"]
    return Steps([step["run"] for step in steps if "if" not in step], after)


def gitlab() -> Steps:
    with open(f"{EXAMPLES}/ci/gitlab.yaml") as file:
        (job,) = yaml.safe_load(file).values()
    return Steps(job["script"], job["after_script"])


class Repository:
    """A team's repository, with the examples in it, on a machine that has Docker."""

    def __init__(self, docker: Any, compose: str) -> None:
        self._docker = docker
        self.place = f"{docker.host.base}/tmp/repository"
        plugins = f"{docker.host.base}/home/.docker/cli-plugins"
        os.makedirs(plugins)
        os.makedirs(self.place)
        os.symlink(compose, f"{plugins}/docker-compose")
        shutil.copy(f"{EXAMPLES}/ci/compose.yaml", self.place)
        shutil.copy(f"{EXAMPLES}/Dockerfile", self.place)

    def test(self, firmware: str, steps: Steps, seconds: int = 60) -> tuple[Result, str]:
        """Run the steps with a sample as hello.elf; return the last one, and the log."""
        self._seconds = str(seconds)
        shutil.copy(f"{SAMPLES}/{firmware}.elf", f"{self.place}/hello.elf")
        for step in steps.work:
            done = self._run(step)
            if done.code:
                break
        for step in steps.after:
            self._run(step).check()
        with open(f"{self.place}/firmware.log") as file:
            return done, file.read()

    def _run(self, step: str) -> Result:
        client = os.path.dirname(self._docker._client())
        path = f"{client}:{self._docker.host.env['PATH']}"
        env = {**self._docker._environment, "PATH": path, "FIRMWARE_SECONDS": self._seconds}
        script = f"cd {self.place}\n{step}"
        result: Result = self._docker.host.run("bash", "-e", "-c", script, env=env, timeout=100)
        return result


@pytest.fixture
def repository(
    start_docker: Callable[..., Any], program: str
) -> Iterator[Callable[..., tuple[Result, str]]]:
    docker = start_docker("28", etc=ETC)
    yield Repository(docker, program).test
    assert not docker.docker("ps", "--all", "--quiet").text


def test_the_steps_tell_firmware_that_passes_from_firmware_that_fails(repository):
    for steps in (github(), gitlab()):
        done, log = repository("exit0", steps)
        assert done.code == 0 and "exiting with code 0" in log and log in done.stdout, (done, log)
        done, log = repository("exit", steps)
        assert done.code == 7 and "exiting with code 7" in log, (done, log)
    done, log = repository("crash", github())
    assert done.code == 139 and "m3: crashed: lockup" in log, (done, log)
    done, log = repository("fault_spin", github(), 6)
    assert done.code == 124 and "fault: spinning" in log, (done, log)
