"""Proves that Podman runs firmware as it runs programs: two versions, a simulated board of four."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.engines.groups_of import run_out_of_memory
from tests.engines.images import Image, write_oci
from tests.engines.ours import ETC, PROCESSORS, SAMPLES
from tests.engines.process import wait_until
from tests.engines.releases import PODMAN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PTY_INPUT = os.path.join(os.path.dirname(__file__), "pty_input.py")


def image(program):
    return f"localhost/{program}:1"


class Bench:
    """A Podman whose default runtime is ours."""

    def __init__(self, podman, folder):
        self.engine = podman
        self.podman = podman.podman
        self._folder = folder

    def load(self, *programs):
        for program in programs:
            with open(f"{SAMPLES}/{program}.elf", "rb") as file:
                files = {f"{program}.elf": file.read()}
            made = Image(image(program), files, [f"/{program}.elf"])
            self.engine.load(write_oci(made, f"{self._folder}/{program}.tar"))

    def run(self, program, *options, processor="m3-0", **settings):
        words = [*options, "--annotation", f"remoteproc.name={processor}", image(program)]
        return self.engine.run(*words, **settings)

    def start(self, program, *options, name="one", processor="m3-0"):
        self.run(program, "-d", "--name", name, *options, processor=processor)

    @property
    def program(self):
        return self.engine.releases.binary(self.engine.suite, "podman")

    def type(self, script, *words):
        """Run podman on a terminal with this input: pairs of an expected text and what to type."""
        pty_input = [sys.executable, PTY_INPUT, json.dumps(script), self.program]
        return self.engine.host.run(*pty_input, *words, timeout=90)

    def state(self, name="one"):
        return self.engine.inspect(name)["State"]

    def status(self, name="one"):
        return self.state(name)["Status"]

    def ended(self, name="one", within=10):
        assert wait_until(lambda: self.status(name) in ("exited", "stopped"), within, 0.1)
        return self.state(name)["ExitCode"]

    def logs(self, name="one"):
        return self.podman("logs", name).stdout

    def remove(self, *names):
        self.podman("rm", "-f", "-t", "2", *(names or ("one",)))

    def nothing_left(self):
        """Whether no state, owner, process of ours is left."""
        run = f"{self.engine.host.base}/{self.engine.run_directory}/remoteproc-runtime"
        left = [
            f"{folder}/{name}"
            for folder in ("containers", "owners")
            if os.path.isdir(f"{run}/{folder}")
            for name in os.listdir(f"{run}/{folder}")
        ]
        left += [str(pid) for pid in self.engine.host.find("remoteproc-supervisor")]
        left += [str(pid) for pid in self.engine.host.find("qemu-system")]
        return left == []


@pytest.fixture(params=PODMAN)
def bench(request, start_podman, runtime_path, tmp_path):
    runtime = f"{runtime_path}/remoteproc-runtime"
    bench = Bench(start_podman(request.param, runtime=runtime, etc=ETC), str(tmp_path))
    yield bench
    assert wait_until(bench.nothing_left, 5)


def test_run_logs_stop_start(bench):
    bench.load("hello")
    bench.start("hello")
    assert wait_until(lambda: "tick 2" in bench.logs(), 10)
    seen = bench.engine.inspect("one")
    assert seen["State"]["Status"] == "running" and seen["State"]["Pid"] > 0
    assert seen["OCIRuntime"].endswith("remoteproc-runtime")
    bench.podman("stop", "one")
    assert (bench.status(), bench.state()["ExitCode"]) == ("exited", 0)
    bench.podman("start", "one")
    assert bench.status() == "running"
    bench.podman("restart", "one")
    assert wait_until(lambda: bench.logs().count("hello from") == 3, 10)
    assert "Up" in bench.podman("ps", "--format", "{{.Status}}").text
    bench.podman("kill", "one")
    assert bench.ended() == 137
    bench.podman("rm", "one")


@pytest.mark.parametrize(("program", "code"), [("exit", 7), ("exit0", 0), ("crash", 139)])
def test_exit_codes(bench, program, code):
    bench.load(program)
    ran = bench.run(program, "--name", "one", check=False)
    assert ran.code == code, ran
    assert bench.state()["ExitCode"] == code
    bench.podman("rm", "one")


def test_a_crash_restarts_three_times(bench):
    bench.load("crash")
    bench.start("crash", "--restart", "on-failure:3")
    restarts = lambda: bench.engine.inspect("one")["RestartCount"]  # noqa: E731
    assert wait_until(lambda: restarts() == 3 and bench.status() == "exited", 30, 0.2)
    assert bench.state()["ExitCode"] == 139
    bench.podman("rm", "one")


def test_restart_always_after_a_good_end(bench):
    bench.load("exit0")
    bench.start("exit0", "--restart", "always")
    assert wait_until(lambda: bench.engine.inspect("one")["RestartCount"] >= 2, 30, 0.2)
    bench.remove()


def test_signals_that_do_not_stop(bench):
    bench.load("hello")
    bench.start("hello")
    bench.podman("kill", "-s", "HUP", "one")
    bench.podman("kill", "-s", "WINCH", "one")
    assert bench.status() == "running"
    bench.podman("kill", "-s", "TERM", "one")
    assert bench.ended() == 0
    bench.podman("rm", "one")


def test_errors_are_shown(bench):
    bench.load("hello")
    bench.start("hello")
    twice = bench.run("hello", "--name", "two", check=False)
    assert twice.code != 0 and "belongs to container" in twice.stderr, twice
    wrong = bench.run("hello", "--name", "three", processor="m9", check=False)
    assert wrong.code != 0 and "there is no processor m9" in wrong.stderr, wrong
    unknown = bench.run("hello", "--name", "four", "--annotation", "remoteproc.x=1", check=False)
    assert unknown.code != 0 and "'remoteproc.x' is unknown" in unknown.stderr, unknown
    bench.remove("one", "two", "three", "four")


def test_exec_and_health(bench):
    bench.load("hello")
    bench.start("hello", "--health-cmd", "status || exit 1", "--health-interval", "disable")
    assert bench.podman("exec", "one", "status").text == "running on m3-0 (remoteproc0)"
    assert "tick 1" in bench.podman("exec", "one", "trace").stdout
    shell = bench.podman("exec", "one", "sh", check=False)
    assert shell.code == 127 and "firmware has no program 'sh'" in shell.stderr, shell
    terminal = bench.podman("exec", "-t", "one", "firmware", check=False)
    assert terminal.code == 0 and "32-bit ARM" in terminal.stdout, terminal
    bench.podman("exec", "-d", "one", "status")
    assert bench.podman("healthcheck", "run", "one", check=False).code == 0
    bench.remove()


def test_pause(bench):
    bench.load("hello")
    bench.start("hello")
    bench.podman("pause", "one")
    assert bench.status() == "paused"
    before = bench.logs()
    time.sleep(0.5)
    assert bench.logs() == before
    bench.podman("unpause", "one")
    assert wait_until(lambda: len(bench.logs()) > len(before), 5)
    bench.remove()


def test_top_shows_the_container_alone(bench):
    bench.load("hello")
    bench.start("hello")
    listed = bench.podman("top", "one", "pid", "comm").stdout
    assert "rproc:" in listed and "qemu" in listed, listed[:500]
    assert len(listed.splitlines()) == 3, listed[:500]
    bench.remove()


def test_a_terminal(bench):
    bench.load("echo")
    there = ["--network", "none", "--annotation", "remoteproc.name=m3-0", image("echo")]
    seen = bench.type([["> ", "hello\r"], ["you said: hello", "\x10\x11"]],
                      "run", "-it", "--name", "one", *there)  # fmt: skip
    assert seen.code == 0 and "you said: hello\r\n" in seen.stdout, seen
    assert bench.status() == "running"  # the keys have detached, no more
    bench.type([["", "again\r"], ["you said: again", "\x03"]], "attach", "one")
    assert bench.ended() == 0  # Ctrl-C asks to stop
    bench.podman("rm", "one")
    seen = bench.type([["> ", "bye\r"], ["you said: bye", "\x03"]], "run", "-it", "--rm", *there)
    assert (seen.code, bench.podman("ps", "-aq").text) == (0, ""), seen


def test_stdin_without_a_terminal(bench):
    bench.load("echo")
    bench.start("echo", "-i")
    attached = bench.engine.host.spawn(
        ["sh", "-c", f"(echo hello; sleep 2) | {bench.program} attach one"]
    )
    assert wait_until(lambda: "you said: hello" in bench.logs(), 10)
    bench.podman("stop", "one")
    attached.wait(20)
    assert "you said: hello" in attached.output()
    bench.podman("rm", "one")


def test_a_pod(bench):
    bench.load("hello")
    bench.podman("pod", "create", "--network", "none", "--name", "pod")
    bench.start("hello", "--pod", "pod", name="one")
    bench.start("hello", "--pod", "pod", name="two", processor="m3-1")
    assert bench.podman("pod", "inspect", "-f", "{{.State}}", "pod").text == "Running"
    bench.podman("pod", "stop", "pod")
    assert (bench.ended("one"), bench.ended("two")) == (0, 0)
    bench.podman("pod", "rm", "-f", "pod")


def test_kube_play(bench, tmp_path):
    bench.load("hello")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "board", "annotations": {"remoteproc.name": "m3-2"}},
        "spec": {
            "hostNetwork": True,
            "containers": [{"name": "blink", "image": image("hello"), "imagePullPolicy": "Never"}],
        },
    }
    (tmp_path / "pod.yaml").write_text(json.dumps(pod))
    bench.podman("kube", "play", str(tmp_path / "pod.yaml"))
    assert wait_until(lambda: "tick 1" in bench.logs("board-blink"), 10)
    bench.podman("kube", "down", str(tmp_path / "pod.yaml"))


def test_events(bench):
    bench.load("exit")
    begin = str(int(time.time()) - 1)
    bench.run("exit", "--name", "one", check=False)
    bench.podman("rm", "one")
    lines = bench.podman(
        "events", "--stream=false", "--since", begin, "--filter", "container=one",
        "--format", "{{.Status}} {{.ContainerExitCode}}",
    ).stdout  # fmt: skip
    for status in ("create", "start", "died 7", "remove"):
        assert status in lines, lines


def test_kill_9_of_the_supervisor(bench):
    bench.load("hello")
    bench.start("hello")
    os.kill(bench.state()["Pid"], signal.SIGKILL)
    assert bench.ended() == 137
    bench.start("hello", name="two")  # the processor is free
    bench.remove("one", "two")


def test_kill_9_of_conmon(bench):
    bench.load("hello")
    bench.start("hello")
    (conmon,) = bench.engine.host.find("/conmon")
    os.kill(conmon, signal.SIGKILL)
    time.sleep(0.3)
    name = bench.engine.inspect("one")["Id"]
    bench.remove()
    assert not bench.engine.host.find("qemu-system")
    # Podman 4 forgets to delete a container whose conmon died; what is left is a record.
    ours = [bench.engine.runtime, "delete", "--force", name]
    bench.engine.host.run(*ours).check()


def test_a_hundred_runs_leave_nothing(bench):
    bench.load("exit0")

    def work(processor):
        for _ in range(25):
            bench.run("exit0", "--rm", processor=processor)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, PROCESSORS))
    assert bench.podman("ps", "-aq").text == ""


def test_a_health_check_is_green_only_if_it_was_understood(bench):
    bench.load("hello")
    checks = {
        "printed 'tick 1' && printed-within 30 || exit 1": 0,
        "printed-within 0.001 || exit 1": 1,
        "trace | grep NEVER": 1,
        "status && false": 1,
    }

    def printed(name):
        return "tick 1" in bench.logs(name)

    for number, (check, code) in enumerate(checks.items()):
        health = ("--health-cmd", check, "--health-interval", "disable")
        bench.start("hello", *health, name=f"c{number}", processor=f"m3-{number}")
        assert wait_until(partial(printed, f"c{number}"), 10)
        ran = bench.podman("healthcheck", "run", f"c{number}", check=False)
        assert ran.code == code, (check, ran)
    bench.remove(*(f"c{number}" for number in range(len(checks))))


def test_a_supervisor_that_the_kernel_killed_for_want_of_memory_is_told(bench):
    bench.load("hello")
    bench.start("hello", "--memory", "128m")
    run_out_of_memory(bench.state()["Pid"])
    assert bench.ended() == 137
    if bench.engine.version != "4":  # which shows no more than 137
        assert bench.state()["OOMKilled"], bench.state()
    bench.podman("rm", "one")


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--memory", "6m", "out of memory, the container's limit is 6 MiB"),
        ("--pids-limit", "1", "the container's limit of 1 processes is too small"),
    ],
)
def test_a_limit_that_leaves_no_room_for_a_simulator_is_named(bench, option, value, says):
    bench.load("hello")
    refused = bench.run("hello", "-d", "--name", "one", option, value, check=False)
    assert refused.code != 0 and says in refused.stderr, refused
    bench.remove()
