"""Proves that the harness runs each podman, with each low-level runtime, and upgrades it."""

from __future__ import annotations

import sys

import pytest

from tests.engines.conftest import PROBE
from tests.engines.process import wait_until
from tests.engines.releases import OLDEST, PODMAN

pytestmark = pytest.mark.slow
each_version = pytest.mark.parametrize("version", PODMAN)
each_runtime = pytest.mark.parametrize("runtime", ["runc", "crun"])


@each_version
@each_runtime
def test_runs_a_container_and_leaves_nothing(start_podman, probe, version, runtime):
    podman = start_podman(version, runtime=runtime)
    assert f"version {version}." in podman.podman("--version").text
    podman.load(probe())
    ran = podman.run("--name", "one", PROBE, "say", "hello", "3", check=False)
    assert (ran.code, ran.text) == (3, "hello"), ran
    assert podman.podman("logs", "one").text == "hello"
    state = podman.inspect("one")
    assert (state["State"]["ExitCode"], state["OCIRuntime"]) == (3, runtime)
    podman.podman("rm", "one")


@each_version
@each_runtime
def test_stops_a_container(start_podman, probe, version, runtime):
    podman = start_podman(version, runtime=runtime)
    podman.load(probe())
    podman.run("-d", "--name", "one", "--annotation", "remoteproc.name=m4", PROBE)
    assert podman.inspect("one")["Config"]["Annotations"]["remoteproc.name"] == "m4"
    assert wait_until(lambda: podman.podman("logs", "one").text == "waiting", 5)
    waiting = podman.background("wait", "one")
    assert waiting.running()
    podman.podman("stop", "one")
    assert (waiting.wait(5), waiting.output().strip()) == (0, "0")
    assert podman.inspect("one")["State"]["ExitCode"] == 0
    podman.podman("rm", "one")


@each_version
def test_runtime_given_by_path(start_podman, releases, probe, version):
    podman = start_podman(version)
    podman.load(probe())
    runc = releases.binary(OLDEST, "runc")
    ran = podman.podman(
        "--runtime", runc, "run", "--rm", "--network", "none", PROBE, "say", "by path", "0"
    )
    assert ran.text == "by path"


@each_version
def test_programs_of_the_machine_run_on_the_libraries_of_the_suite(start_podman, version):
    podman = start_podman(version)
    modules = "ssl, sqlite3, ctypes, google.protobuf.message, yaml, click, dependency_injector"
    podman.host.run(sys.executable, "-c", f"import {modules}").check()
    assert "emulator" in podman.host.run("qemu-system-arm", "--version").check().stdout


@each_version
def test_pod(start_podman, probe, version):
    podman = start_podman(version)
    podman.load(probe())
    podman.podman("pod", "create", "--infra=false", "--name", "pod")
    podman.run("-d", "--pod", "pod", "--name", "one", PROBE)
    assert podman.podman("pod", "inspect", "-f", "{{.State}}", "pod").text == "Running"
    podman.podman("pod", "rm", "-f", "pod")


def test_container_outlives_an_upgrade(start_podman, probe):
    podman = start_podman("4", runtime="crun", upgrade_to="5")
    podman.load(probe())
    podman.run("-d", "--name", "one", PROBE)
    pid = podman.inspect("one")["State"]["Pid"]
    podman.switch("5")
    state = podman.inspect("one")["State"]
    assert (state["Status"], state["Pid"]) == ("running", pid)
    podman.podman("rm", "-f", "one")
