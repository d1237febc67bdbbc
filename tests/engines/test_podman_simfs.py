"""Proves that Podman runs firmware through the kernel's tree: sysfs adapter, board under FUSE."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.elf_builder import elf
from tests.engines.boards import CONFIG, ROOT, Board
from tests.engines.images import Image, write_oci
from tests.engines.ours import PROCESSORS
from tests.engines.process import wait_until
from tests.engines.releases import PODMAN
from tests.engines.test_podman_remoteproc import Bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


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


def test_a_driver_that_wants_an_order_of_cores_is_explained(bench):
    bench.load("hello-traced")
    fault = f"{ROOT}/sys/kernel/debug/remoteproc-sim/remoteproc1/start_error"
    bench.engine.host.run("sh", "-c", f"echo EPERM > {fault}", timeout=10).check()
    refused = bench.run("hello-traced", "--name", "one", processor="m3-1", check=False)
    assert "EPERM" in refused.stderr and "start core 0 first, stop it last" in refused.stderr
    assert "lets no program control this processor, or" in refused.stderr
    bench.remove()


def test_code_for_another_core_is_refused_with_the_reason(bench, tmp_path):
    other = Image("localhost/other:1", {"other.elf": elf(machine=243)}, ["/other.elf"])
    bench.engine.load(write_oci(other, str(tmp_path / "other.tar")))
    refused = bench.run("other", "--name", "one", check=False)
    assert "is 32-bit RISC-V code, but cortex-m3 executes 32-bit ARM code" in refused.stderr
    bench.remove()


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
