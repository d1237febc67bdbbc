"""Proves that Podman runs firmware through the kernel's tree: sysfs adapter, board under FUSE."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engines.ours import PROCESSORS
from tests.engines.process import wait_until
from tests.engines.releases import PODMAN
from tests.engines.test_podman_remoteproc import Bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
ROOT = "/run/board"  # in the isolated host; its /run is the folder base/run outside
CONFIG = {"remoteproc-runtime/config.yaml": f"backend: sysfs\ntree: {ROOT}\n"}


class Board:
    """remoteproc-sim in an isolated host: its mount, its QEMUs and its firmware directory."""

    def __init__(self, host, programs):
        self._host = host
        argv = [f"{programs}/remoteproc-sim", "--board", "quad", "--root", ROOT]
        self._process = host.spawn(argv)
        assert wait_until(lambda: "ready" in self._process.output(), 10), self._process.output()
        assert f"{ROOT}/sys" in host.mounts()

    def states(self):
        """What the attribute `state` of each processor says, in their order."""
        read = [f"{ROOT}/sys/class/remoteproc/remoteproc{n}/state" for n in range(len(PROCESSORS))]
        return self._host.run("cat", *read, timeout=10).check().text.split()

    def firmware(self):
        """The files in the tree's firmware directory."""
        folder = f"{self._host.base}{ROOT}/lib/firmware"
        return [name for _, _, names in os.walk(folder) for name in names]

    def close(self):
        self._process.kill(signal.SIGTERM)
        assert self._process.wait(20) == 0, self._process.output()
        mounts = self._host.mounts()
        assert not [point for point in mounts if point.startswith(ROOT)], mounts


class BenchWithBoard(Bench):
    """A Podman whose runtime uses a simulated board's tree."""

    board: Board


@pytest.fixture(params=PODMAN)
def bench(request, start_podman, runtime_path, tmp_path):
    runtime = f"{runtime_path}/remoteproc-runtime"
    bench = BenchWithBoard(start_podman(request.param, runtime=runtime, etc=CONFIG), str(tmp_path))
    bench.board = Board(bench.engine.host, runtime_path)
    try:
        yield bench
        assert wait_until(bench.nothing_left, 5)
        assert bench.board.states() == ["offline"] * 4
        assert bench.board.firmware() == []
    finally:
        bench.board.close()


def test_run_logs_ps_stop_start(bench):
    bench.load("hello-traced")
    bench.start("hello-traced", processor="m3-1")
    assert bench.board.states() == ["offline", "running", "offline", "offline"]
    (published,) = bench.board.firmware()
    assert published.startswith("remoteproc1-")
    assert bench.engine.host.find("qemu-system")
    assert wait_until(lambda: "hello from cortex-m3\ntick 1\ntick 2\n" in bench.logs(), 10)
    assert "Up" in bench.podman("ps", "--format", "{{.Status}}").text
    bench.podman("stop", "one")
    assert (bench.status(), bench.state()["ExitCode"]) == ("exited", 0)
    assert (bench.board.states()[1], bench.board.firmware()) == ("offline", [])
    bench.podman("start", "one")
    assert wait_until(lambda: bench.logs().count("hello from cortex-m3\n") == 2, 10)
    bench.remove()  # as it runs
    assert bench.podman("ps", "-aq").text == ""


def test_a_crash_is_139_and_restarts_three_times(bench):
    bench.load("crash-traced")
    bench.start("crash-traced", "--restart", "on-failure:3")
    restarts = lambda: bench.engine.inspect("one")["RestartCount"]  # noqa: E731
    assert wait_until(lambda: restarts() == 3 and bench.status() == "exited", 30, 0.2)
    assert bench.state()["ExitCode"] == 139
    seen = bench.podman("logs", "one")
    assert seen.stdout == "about to crash\n" * 4
    assert seen.stderr.count("m3-0: crashed") == 4, seen
    bench.podman("rm", "one")


def test_an_owner_is_named_and_a_kill_is_137(bench):
    bench.load("hello-traced")
    bench.start("hello-traced")
    twice = bench.run("hello-traced", "--name", "two", check=False)
    assert twice.code != 0 and "belongs to container" in twice.stderr, twice
    os.kill(bench.state()["Pid"], signal.SIGKILL)  # the supervisor
    assert bench.ended() == 137
    bench.start("hello-traced", name="three")  # the processor is free
    bench.podman("kill", "three")
    assert bench.ended("three") == 137
    bench.remove("one", "two", "three")


def test_many_at_a_time_leave_nothing(bench):
    bench.load("exit0-traced", "crash-traced")
    programs = dict(zip(PROCESSORS, ["exit0-traced", "crash-traced"] * 2, strict=True))

    def work(processor):
        ran = bench.run(programs[processor], "--rm", processor=processor, check=False)
        return ran.code, ran.stdout

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(work, PROCESSORS))
    good, bad = (0, "exiting with code 0\n"), (139, "about to crash\n")
    assert outcomes == [good, bad] * 2
    assert bench.podman("ps", "-aq").text == ""
