"""Proves that Podman runs firmware for a user who is not root, on a board that needs no rights."""

from __future__ import annotations

import os

import pytest

from tests.engines.ours import ETC
from tests.engines.process import wait_until
from tests.engines.test_podman_remoteproc import Bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
USER = 65533


@pytest.fixture
def bench(start_podman, runtime_path):
    runtime = f"{runtime_path}/remoteproc-runtime"
    podman = start_podman("5", runtime=runtime, etc=ETC, user=USER)
    if podman.as_user("unshare", "--user", "--map-root-user", "true").code:
        pytest.skip("this machine lets no user make a user namespace")
    bench = Bench(podman, f"{podman.host.base}/tmp")
    yield bench
    assert wait_until(bench.nothing_left, 5)


def test_run_logs_exec_stop_and_exit_codes(bench):
    bench.load("hello", "exit", "crash")
    bench.start("hello")
    assert wait_until(lambda: "tick 2" in bench.logs(), 10)
    pid = bench.state()["Pid"]
    assert os.stat(f"/proc/{pid}").st_uid == USER
    assert "running on m3-0" in bench.podman("exec", "one", "status").text
    for program, code in (("exit", 7), ("crash", 139)):
        assert bench.run(program, "--rm", processor="m3-1", check=False).code == code
    bench.podman("stop", "one")
    assert (bench.status(), bench.state()["ExitCode"]) == ("exited", 0)
    bench.podman("rm", "one")
