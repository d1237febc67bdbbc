"""Proves that Docker runs, shows, restarts and ends firmware through the shim."""

from __future__ import annotations

import json
import os
import re
import sys

import pytest

from tests.engines import pty_input
from tests.engines.groups_of import limit, run_out_of_memory
from tests.engines.ours import ETC, RUNTIME, SHIM
from tests.engines.process import wait_until
from tests.engines.releases import DOCKER

pytestmark = pytest.mark.slow
each_version = pytest.mark.parametrize("version", DOCKER)

PROGRAMS = ("hello", "crash", "exit", "exit0", "echo")


@pytest.fixture
def start(start_docker, firmware):
    """Starts a dockerd that has all firmware images."""

    def started(version, **options):
        docker = start_docker(version, etc=ETC, **options)
        for program in PROGRAMS:
            docker.load(firmware(program, docker=True))
        return docker

    return started


def run(docker, program, name, *options, processor="m3-0", **kwargs):
    flags = ["--runtime", RUNTIME, "--annotation", f"remoteproc.name={processor}", *options]
    return docker.run(*flags, "--name", name, f"localhost/{program}:1", **kwargs)


def state(docker, name):
    return docker.inspect(name)["State"]


@each_version
def test_an_entry_in_daemon_json_gives_the_shim_another_name(start, version):
    with open(os.path.join(os.path.dirname(__file__), "../../examples/daemon.json")) as file:
        docker = start(version, runtimes=json.load(file)["runtimes"])
    words = ["--runtime", "remoteproc", "--annotation", "remoteproc.name=m3-0"]
    docker.run("-d", "--name", "one", *words, "localhost/hello:1")
    with open(f"/proc/{state(docker, 'one')['Pid']}/stat") as file:
        parent = file.read().rpartition(")")[2].split()[1]
    with open(f"/proc/{parent}/cmdline") as file:
        assert SHIM in file.read()
    docker.docker("rm", "-f", "one")


@each_version
def test_the_commands_people_try(start, version):
    docker = start(version)
    run(docker, "hello", "one", "-d")
    assert "Up" in docker.docker("ps", "--format", "{{.Names}} {{.Status}}").text
    following = docker.background("logs", "-f", "one")
    assert wait_until(lambda: "tick 3" in following.output(), 10)
    pid = state(docker, "one")["Pid"]
    assert re.search(rf"\b{pid}\b", docker.docker("top", "one").stdout)
    (stats,) = docker.docker("stats", "--no-stream", "--format", "json", "one").text.splitlines()
    shown = json.loads(stats)
    assert not shown["MemUsage"].startswith("0B") and int(shown["PIDs"]) >= 1, shown
    waiting = docker.background("wait", "one")
    docker.docker("stop", "one")
    assert following.wait(5) == 0
    assert (waiting.wait(5), waiting.output().strip()) == (0, "0")
    ended = state(docker, "one")
    assert (ended["Status"], ended["ExitCode"]) == ("exited", 0)
    assert ended["FinishedAt"] > ended["StartedAt"] > "2020"
    docker.docker("start", "one")
    assert state(docker, "one")["Running"]
    docker.docker("restart", "one")
    docker.docker("pause", "one")
    assert state(docker, "one")["Status"] == "paused"
    docker.docker("unpause", "one")
    docker.docker("kill", "one")
    assert wait_until(lambda: state(docker, "one")["Status"] == "exited", 5)
    assert state(docker, "one")["ExitCode"] == 137
    docker.docker("start", "one")
    docker.docker("rm", "-f", "one")


@each_version
def test_how_many_processes_there_are(start, version):
    """Each container has two and QEMU; all share the fork server, its spare and its standby."""
    docker = start(version)
    before = set(docker.host.processes())

    def ours():
        lines = [line for pid, line in docker.host.processes().items() if pid not in before]
        return sorted(line.partition(" ")[0].rpartition("/")[2] for line in lines)

    resident = ["remoteproc-fork-server", "remoteproc-spare-shim", "remoteproc-standby"]
    each = [SHIM, "qemu-system-arm", "remoteproc-supervisor"]

    def settled(count):
        return wait_until(lambda: ours() == sorted(resident + each * count), 5)

    for count in (1, 2, 3):
        run(docker, "echo", f"c{count}", "-d", processor=f"m3-{count}")
        assert settled(count), ours()
    docker.docker("rm", "-f", "c1", "c2", "c3")
    assert settled(0), ours()


@each_version
def test_exit_codes_and_restart_policies(start, version):
    docker = start(version)
    for program, code in (("exit", 7), ("exit0", 0), ("crash", 139)):
        ran = run(docker, program, program, check=False)
        assert ran.code == code and ran.stdout, ran
        ended = state(docker, program)
        assert (ended["ExitCode"], ended["Status"]) == (code, "exited")
        docker.docker("rm", program)
    run(docker, "crash", "again", "-d", "--restart=on-failure:2")
    assert wait_until(
        lambda: (
            docker.inspect("again")["RestartCount"] == 2
            and state(docker, "again")["Status"] == "exited"
        ),
        30,
    )
    run(docker, "exit0", "once", "-d", "--restart=on-failure:2", processor="m3-1")
    assert wait_until(lambda: state(docker, "once")["Status"] == "exited", 10)
    assert docker.inspect("once")["RestartCount"] == 0
    docker.docker("rm", "again", "once")


@each_version
def test_a_session_on_a_terminal(start, version):
    docker = start(version)
    dialogue = [["> ", "hello\r"], ["you said: hello", "more\r"], ["you said: more", "\x03"]]
    command = [docker._client(), "run", "--network", "none", "-it", "--rm", "--name", "one"]
    command += ["--runtime", RUNTIME, "--annotation", "remoteproc.name=m3-0", "localhost/echo:1"]
    script = [sys.executable, os.path.abspath(pty_input.__file__), json.dumps(dialogue)]
    talked = docker.host.run(*script, *command, env=docker._environment)
    assert "you said: more" in talked.stdout, talked
    assert talked.code == 0, talked
    assert "\n" not in talked.stdout.replace("\r\n", ""), "a terminal in raw mode needs both"


@each_version
def test_input_without_a_terminal(start, version):
    docker = start(version)
    name = run(docker, "echo", "one", "-d", "-i").text
    assert name
    typing = docker.host.run(
        *("sh", "-c", f"(echo hello; sleep 1) | {docker._client()} attach one & sleep 3"),
        env=docker._environment,
    )
    logged = docker.docker("logs", "one").stdout
    assert "you said: hello" in logged, (typing, logged)
    docker.docker("rm", "-f", "one")


@each_version
def test_commands_inside_and_health(start, version):
    docker = start(version)
    health = ("--health-cmd", "status || exit 1", "--health-interval", "1s")
    run(docker, "hello", "one", "-d", *health)
    assert docker.docker("exec", "one", "status").text.startswith("running on m3-0")
    assert wait_until(lambda: "tick" in docker.docker("exec", "one", "trace").stdout, 5)
    refused = docker.docker("exec", "one", "ls", check=False)
    assert (refused.code, refused.stdout) == (127, "") and "no program 'ls'" in refused.stderr
    dialogue = json.dumps([["running on m3-0", ""]])
    script = [sys.executable, os.path.abspath(pty_input.__file__), dialogue]
    command = [docker._client(), "exec", "-it", "one", "status"]
    talked = docker.host.run(*script, *command, env=docker._environment)
    assert talked.code == 0 and "\n" not in talked.stdout.replace("\r\n", ""), talked
    docker.docker("exec", "-d", "one", "status")
    assert wait_until(lambda: state(docker, "one")["Health"]["Status"] == "healthy", 10)
    assert "running on" in state(docker, "one")["Health"]["Log"][-1]["Output"]
    docker.docker("stop", "one")
    assert "not running" in docker.docker("exec", "one", "status", check=False).stderr
    docker.docker("rm", "one")


@pytest.mark.parametrize("kill", [False, True], ids=["graceful", "killed"])
def test_firmware_outlives_an_upgrade(start, kill):
    docker = start("26", live_restore=True)
    run(docker, "hello", "one", "-d")
    before = state(docker, "one")
    docker.restart("28", kill=kill, containerd=True)
    after = state(docker, "one")
    assert (after["Status"], after["Pid"]) == ("running", before["Pid"])
    length = len(docker.docker("logs", "one").stdout)
    assert wait_until(lambda: len(docker.docker("logs", "one").stdout) > length, 5)
    docker.docker("stop", "one")
    assert state(docker, "one")["ExitCode"] == 0
    docker.docker("rm", "one")


@each_version
def test_a_killed_shim_is_an_ended_container(start, version):
    docker = start(version)
    run(docker, "hello", "one", "-d")
    pid = state(docker, "one")["Pid"]
    (shim,) = docker.host.find(SHIM)
    os.kill(shim, 9)
    assert wait_until(lambda: state(docker, "one")["Status"] == "exited", 10)
    assert state(docker, "one")["ExitCode"] == 137
    assert not os.path.exists(f"/proc/{pid}")
    docker.docker("start", "one")
    docker.docker("rm", "-f", "one")


@each_version
def test_the_reason_of_a_failed_start_is_shown(start, version):
    docker = start(version)
    run(docker, "hello", "one", "-d")
    refused = run(docker, "hello", "two", "-d", check=False)
    assert refused.code != 0 and "belongs to container" in refused.stderr
    nowhere = run(docker, "hello", "three", "-d", processor="x9", check=False)
    assert nowhere.code != 0 and "x9" in nowhere.stderr and "m3-3" in nowhere.stderr
    docker.docker("rm", "-f", "one", "two", "three")


def test_docker_update_and_stats_are_of_the_control_group(start):
    """Of the older Docker; test_as_people_expect proves it of the newer one and of Podman."""
    docker = start(min(DOCKER))
    run(docker, "hello", "one", "-d", "--memory", "256m")
    pid = state(docker, "one")["Pid"]
    more = ["--memory", "512m", "--memory-swap", "1g", "--pids-limit", "77", "--cpu-shares", "256"]
    docker.docker("update", *more, "--cpuset-cpus", "0", "--cpus", "0.5", "one")
    assert limit(pid, "memory", "memory.limit_in_bytes") == str(512 << 20)
    assert limit(pid, "memory", "memory.memsw.limit_in_bytes") == str(1 << 30)
    assert limit(pid, "pids", "pids.max") == "77"
    assert limit(pid, "cpu", "cpu.shares") == "256"
    assert limit(pid, "cpu", "cpu.cfs_quota_us") == "50000"
    assert limit(pid, "cpuset", "cpuset.cpus") == "0"
    shown = json.loads(docker.docker("stats", "--no-stream", "--format", "json", "one").text)
    assert shown["MemUsage"].endswith(" / 512MiB"), shown
    assert int(shown["PIDs"]) == int(limit(pid, "pids", "pids.current")), shown
    assert state(docker, "one")["Running"]
    docker.docker("rm", "-f", "one")


@each_version
def test_a_health_check_is_green_only_if_it_was_understood(start, version):
    docker = start(version)
    checks = {
        "printed 'tick 1' && printed-within 30 || exit 1": ("healthy", 0),
        "printed-within 0.001 || exit 1": ("unhealthy", 1),
        "trace | grep NEVER": ("unhealthy", 2),
        "status && false": ("unhealthy", 127),
    }
    for number, check in enumerate(checks):
        health = ("--health-cmd", check, "--health-interval", "1s", "--health-retries", "2")
        run(docker, "hello", f"c{number}", "-d", *health, processor=f"m3-{number}")

    def shown(number):
        return state(docker, f"c{number}")["Health"]

    def settled():
        return all(shown(number)["Status"] != "starting" for number in range(len(checks)))

    assert wait_until(settled, 20, 0.2)
    for number, (check, (expected, code)) in enumerate(checks.items()):
        seen = shown(number)
        assert (seen["Status"], seen["Log"][-1]["ExitCode"]) == (expected, code), (check, seen)
    docker.docker("rm", "-f", *(f"c{number}" for number in range(len(checks))))


@each_version
@pytest.mark.parametrize("victim", ["simulator", "supervisor"])
def test_what_the_kernel_killed_for_want_of_memory_is_told(start, version, victim):
    docker = start(version)
    since = docker.docker("info", "--format", "{{.SystemTime}}").text
    run(docker, "hello", "one", "-d", "--memory", "128m")
    pid = state(docker, "one")["Pid"]
    (qemu,) = docker.host.find("qemu-system")
    run_out_of_memory(qemu if victim == "simulator" else pid)
    assert wait_until(lambda: state(docker, "one")["Status"] == "exited", 10)
    ended = state(docker, "one")
    assert (ended["ExitCode"], ended["OOMKilled"]) == (137, True), ended
    until = docker.docker("info", "--format", "{{.SystemTime}}").text
    asked = ("--since", since, "--until", until, "--filter", "container=one")
    events = docker.docker("events", *asked, "--format", "{{.Action}}").stdout.split()
    assert "oom" in events and events.index("oom") < events.index("die"), events
    if victim == "simulator":
        assert "out of memory, the container's limit is 128 MiB" in logged(docker, "one")
    docker.docker("rm", "one")


def logged(docker, name):
    return docker.docker("logs", name).stderr


@each_version
@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--memory", "6m", "out of memory, the container's limit is 6 MiB"),
        ("--pids-limit", "1", "the container's limit of 1 processes is too small"),
    ],
)
def test_a_limit_that_leaves_no_room_for_a_simulator_is_named(start, version, option, value, says):
    docker = start(version)
    refused = run(docker, "hello", "one", "-d", option, value, check=False)
    assert refused.code != 0 and says in refused.stderr, refused
    docker.docker("rm", "one")
