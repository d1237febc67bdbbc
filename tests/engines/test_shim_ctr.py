"""Proves that each containerd runs, watches and ends firmware through the shim, as ctr sees it."""

from __future__ import annotations

import os
import re

import pytest

from tests.engines.images import write_oci
from tests.engines.ours import ETC, RUNTIME, SAMPLES, SHIM, owners, sample
from tests.engines.process import wait_until
from tests.engines.releases import CONTAINERD

pytestmark = pytest.mark.slow
each_version = pytest.mark.parametrize("version", CONTAINERD)

PROGRAMS = ("hello", "crash", "exit", "exit0", "echo")


@pytest.fixture
def start(start_containerd, firmware):
    """Starts a containerd that has all firmware images."""

    def started(version):
        containerd = start_containerd(version, etc=ETC)
        for program in PROGRAMS:
            containerd.load(firmware(program))
        return containerd

    return started


def run(containerd, program, name, *options, processor="m3-0", check=True):
    flags = ["--runtime", RUNTIME, "--annotation", f"remoteproc.name={processor}", *options]
    return containerd.ctr("run", *flags, f"localhost/{program}:1", name, check=check)


def execute(containerd, name, *words, check=True):
    return containerd.ctr("task", "exec", "--exec-id", "x", name, *words, check=check)


def status(containerd, name):
    """Pid and status of a task."""
    for line in containerd.ctr("task", "ls").stdout.splitlines():
        if line.split()[0] == name:
            return line.split()[1:]
    return None


def topics(events):
    """The tasks' topics among the lines of `ctr events`."""
    return re.findall(r"/tasks/(\w+)", events.output())


@each_version
def test_runs_kills_and_removes(start, version):
    containerd = start(version)
    events = containerd.listen()
    run(containerd, "hello", "one", "-d")
    pid, state = status(containerd, "one")
    assert state == "RUNNING" and int(pid) > 1
    assert "one" in owners(containerd)
    containerd.ctr("task", "kill", "one")
    assert wait_until(lambda: status(containerd, "one") == [pid, "STOPPED"], 5)
    containerd.ctr("task", "rm", "one")
    containerd.ctr("c", "rm", "one")
    assert wait_until(lambda: "delete" in topics(events), 5)
    events.kill()
    published = [topic for topic in topics(events) if topic != "checkpointed"]
    assert published == ["create", "start", "exit", "delete"]
    assert "one" not in owners(containerd)


@each_version
@pytest.mark.parametrize("program, code", [("exit", 7), ("exit0", 0), ("crash", 139)])
def test_exit_code_is_the_firmwares(start, version, program, code):
    containerd = start(version)
    ran = run(containerd, program, "one", "--rm", check=False)
    assert ran.code == code, ran
    assert ran.text, "what it printed first is its output"


@each_version
def test_logs_reach_an_attached_client_and_one_that_comes_later(start, version):
    containerd = start(version)
    attached = containerd.background(
        *("run", "--rm", "--runtime", RUNTIME, "--annotation", "remoteproc.name=m3-1"),
        *("localhost/hello:1", "two"),
    )
    assert wait_until(lambda: "tick 3" in attached.output(), 10)
    attached.kill()
    assert wait_until(lambda: not attached.running(), 5)
    seen = attached.output().count("tick")
    again = containerd.background("task", "attach", "two")
    assert wait_until(lambda: again.output().count("tick") > 3, 10)
    assert status(containerd, "two")[1] == "RUNNING", seen
    containerd.ctr("task", "kill", "two")
    assert again.wait(5) == 0
    containerd.ctr("task", "rm", "two", check=False)
    containerd.ctr("c", "rm", "two")


@each_version
def test_a_mounted_file_runs_instead_of_the_images(start, version):
    mount = f"type=bind,src={os.path.realpath(SAMPLES)}/exit.elf,dst=/hello.elf,options=rbind:ro"
    ran = run(start(version), "hello", "one", "--rm", "--mount", mount, check=False)
    assert ran.code == 7, ran


@each_version
def test_the_images_stop_signal_stops_gracefully(start, version, tmp_path):
    containerd = start(version)
    named = sample("hello")._replace(name="localhost/quit:1", stop_signal="SIGQUIT")
    containerd.load(write_oci(named, str(tmp_path / "quit.tar")))
    run(containerd, "quit", "one", "-d")
    containerd.ctr("task", "kill", "one")  # with the signal that the image names
    assert wait_until(lambda: status(containerd, "one")[1] == "STOPPED", 5)
    assert containerd.ctr("task", "rm", "one").code == 0
    containerd.ctr("c", "rm", "one")


UPGRADES = [("1.6", "1.6"), ("1.7", "1.7"), ("2", "2"), ("1.6", "1.7"), ("1.7", "2")]


@pytest.mark.parametrize("kill", [False, True], ids=["graceful", "killed"])
@pytest.mark.parametrize("old, new", UPGRADES)
def test_firmware_outlives_a_restart(start, old, new, kill, tmp_path):
    containerd = start(old)
    log = f"{containerd.host.base}/one.log"
    run(containerd, "hello", "one", "-d", "--log-uri", f"file://{log}")
    before = status(containerd, "one")
    containerd.restart(new, kill=kill)
    assert status(containerd, "one") == before
    with open(log) as file:
        length = len(file.read())
    assert wait_until(lambda: os.path.getsize(log) > length, 5)
    events = containerd.listen()
    containerd.ctr("task", "kill", "one")
    assert wait_until(lambda: "exit" in topics(events), 5)
    containerd.ctr("task", "rm", "one")
    assert wait_until(lambda: "delete" in topics(events), 5)
    events.kill()
    assert topics(events) == ["exit", "delete"]
    containerd.ctr("c", "rm", "one")


@each_version
def test_an_exit_while_containerd_is_away_is_reported_when_it_is_back(start, version):
    containerd = start(version)
    run(containerd, "hello", "one", "-d")
    pid = int(status(containerd, "one")[0])
    containerd.daemon.kill()
    os.kill(pid, 15)
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 5)
    containerd.start(version)
    assert status(containerd, "one") == [str(pid), "STOPPED"]
    deleted = containerd.ctr("task", "rm", "one")
    assert deleted.code == 0
    containerd.ctr("c", "rm", "one")


@each_version
def test_killed_shim_takes_the_processor_down_with_it(start, version):
    containerd = start(version)
    events = containerd.listen()
    run(containerd, "hello", "one", "-d")
    pid, _ = status(containerd, "one")
    (shim,) = [p for p in containerd.host.find(SHIM) if p != int(pid)]
    os.kill(shim, 9)
    assert wait_until(lambda: "delete" in topics(events), 10)
    events.kill()
    (event,) = re.findall(r"/tasks/exit.*", events.output())
    assert f'"pid":{pid}' in event and '"exit_status":137' in event and "exited_at" in event
    assert "one" not in owners(containerd)
    assert not os.path.exists(f"/proc/{pid}")
    containerd.ctr("c", "rm", "one")


@each_version
def test_killed_supervisor_is_reported_at_once(start, version):
    containerd = start(version)
    events = containerd.listen()
    run(containerd, "hello", "one", "-d")
    pid, _ = status(containerd, "one")
    os.kill(int(pid), 9)
    assert wait_until(lambda: "exit" in topics(events), 2)
    assert "one" not in owners(containerd)
    assert status(containerd, "one") == [pid, "STOPPED"]
    assert "exit code 137" in containerd.ctr("task", "rm", "one").stderr
    events.kill()
    assert topics(events) == ["create", "start", "exit", "delete"]
    containerd.ctr("c", "rm", "one")


@each_version
def test_what_cannot_be_is_refused_in_one_line(start, version):
    containerd = start(version)
    refused = run(containerd, "hello", "one", "-d", processor="nowhere", check=False)
    assert refused.code != 0 and "nowhere" in refused.stderr and "m3-0" in refused.stderr
    containerd.ctr("c", "rm", "one", check=False)
    run(containerd, "hello", "two", "-d", "--memory-limit", str(96 << 20))
    busy = run(containerd, "hello", "three", "-d", check=False)
    assert busy.code != 0 and "belongs to container two" in busy.stderr
    refused = execute(containerd, "two", "ls", check=False)
    assert refused.code == 127 and "no program 'ls'" in refused.stderr
    assert execute(containerd, "two", "status").text.startswith("running on m3-0")
    assert containerd.ctr("task", "pause", "two").code == 0
    assert status(containerd, "two")[1] == "PAUSED"
    containerd.ctr("task", "resume", "two")
    assert status(containerd, "two")[1] == "RUNNING"
    told = containerd.ctr("task", "metrics", "two").stdout
    assert "pids" in told and re.search(rf"\b{96 << 20}\b", told), told
    assert status(containerd, "two")[0] in containerd.ctr("task", "ps", "two").stdout
    containerd.ctr("task", "kill", "-s", "SIGKILL", "two")
    assert wait_until(lambda: status(containerd, "two")[1] == "STOPPED", 5)
    assert "exit code 137" in containerd.ctr("task", "rm", "two").stderr
    for name in ("two", "three"):
        containerd.ctr("c", "rm", name)
