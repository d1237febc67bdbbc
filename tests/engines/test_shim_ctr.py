"""Proves that each containerd runs, watches and ends firmware through the shim, as ctr sees it."""

from __future__ import annotations

import os
import re

import pytest

from tests.engines.images import firmware_image, write_oci
from tests.engines.process import wait_until
from tests.engines.releases import CONTAINERD

pytestmark = pytest.mark.slow
each_version = pytest.mark.parametrize("version", CONTAINERD)

RUNTIME = "io.containerd.remoteproc.v1"
SHIM = "containerd-shim-remoteproc-v1"
ETC = {"remoteproc-runtime/config.yaml": "backend: sim\nboard: quad\n"}
FIRMWARE = os.path.join(os.path.dirname(__file__), "../../firmware/build/cortex-m3")
NAMES = ("hello", "crash", "exit", "exit0", "echo")


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("firmware")
    return [
        write_oci(firmware_image(f"localhost/{n}:1", f"{FIRMWARE}/{n}.elf"), f"{folder}/{n}.tar")
        for n in NAMES
    ]


@pytest.fixture
def start(start_containerd, archives):
    """Starts a containerd that has all firmware images."""

    def started(version):
        containerd = start_containerd(version, etc=ETC)
        for archive in archives:
            containerd.load(archive)
        return containerd

    return started


def run(containerd, program, name, *options, processor="m3-0", check=True):
    flags = ["--runtime", RUNTIME, "--annotation", f"remoteproc.name={processor}", *options]
    return containerd.ctr("run", *flags, f"localhost/{program}:1", name, check=check)


def status(containerd, name):
    """Pid and status of a task."""
    for line in containerd.ctr("task", "ls").stdout.splitlines():
        if line.split()[0] == name:
            return line.split()[1:]
    return None


def topics(events):
    """The tasks' topics among the lines of `ctr events`."""
    return re.findall(r"/tasks/(\w+)", events.output())


def processors(containerd):
    """Whether each processor is owned, as the command line sees it."""
    return containerd.enclosure.run("remoteproc-runtime", "processors").stdout


@each_version
def test_runs_kills_and_removes(start, version):
    containerd = start(version)
    events = containerd.background("events")
    run(containerd, "hello", "one", "-d")
    pid, state = status(containerd, "one")
    assert state == "RUNNING" and int(pid) > 1
    assert "one" in processors(containerd)
    containerd.ctr("task", "kill", "one")
    assert wait_until(lambda: status(containerd, "one") == [pid, "STOPPED"], 5)
    containerd.ctr("task", "rm", "one")
    containerd.ctr("c", "rm", "one")
    assert wait_until(lambda: "delete" in topics(events), 5)
    events.kill()
    told = [topic for topic in topics(events) if topic != "checkpointed"]
    assert told == ["create", "start", "exit", "delete"]
    assert "one" not in processors(containerd)


@each_version
@pytest.mark.parametrize("program, code", [("exit", 7), ("exit0", 0), ("crash", 139)])
def test_exit_code_is_the_firmwares(start, version, program, code):
    containerd = start(version)
    ran = run(containerd, program, "one", "--rm", check=False)
    assert ran.code == code, ran
    assert ran.text, "what it printed first is its output"
