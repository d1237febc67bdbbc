"""Proves that many containers, four at a time, leave nothing, and that a shim does not grow."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engines.ours import ETC, RUNTIME, SHIM
from tests.engines.process import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EACH = int(os.environ.get("SHIM_CYCLES", "75"))
PROGRAMS = (("exit", 7), ("exit0", 0), ("crash", 139))


def cycles(containerd, processor):
    wrong = []
    for number in range(EACH):
        program, code = PROGRAMS[number % len(PROGRAMS)]
        name = f"{processor}-{number}"
        ran = containerd.ctr(
            *("run", "--rm", "--runtime", RUNTIME, "--annotation", f"remoteproc.name={processor}"),
            *(f"localhost/{program}:1", name),
            check=False,
        )
        if ran.code != code or not ran.text:
            wrong.append((name, ran))
    return wrong


def test_runs_on_four_processors_leave_nothing(start_containerd, firmware):
    containerd = start_containerd("2", etc=ETC)
    for program, _ in PROGRAMS:
        containerd.load(firmware(program))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda n: cycles(containerd, f"m3-{n}"), range(4)))
    assert results == [[], [], [], []]
    # The rest is the isolated host's: no process, mount, socket, bundle or control group is left.
    for folder in ("containerd/default", "owners", "boards"):
        path = f"{containerd.host.base}/run/remoteproc-runtime/{folder}"
        assert not os.path.exists(path) or not os.listdir(path), path


def memory(pid, kind):
    """KiB. Pss shares with whoever runs now; Anonymous is the process's own."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(f"{kind}:"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def test_a_pods_shim_does_not_grow(start_containerd, firmware, probe, tmp_path):
    containerd = start_containerd("2", etc=ETC)
    containerd.load(firmware("exit"), "k8s.io")
    containerd.load(probe("localhost/pause:1"), "k8s.io")
    cri = containerd.cri
    pod = cri.run_pod("board", str(tmp_path), "remoteproc", {"remoteproc.name": "m3-0"})
    try:
        (shim,) = containerd.host.find(SHIM)
        measured = []
        for number in range(52):
            container = cri.create(pod, "main", "localhost/exit:1", attempt=number)
            cri.start(container)
            assert cri.wait_exited(container).exit_code == 7
            cri.remove(container)
            measured.append((memory(shim, "Anonymous"), descriptors(shim), threads(shim)))
        early, late = measured[13], measured[-1]
        assert wait_until(lambda: descriptors(shim) <= early[1] and threads(shim) <= early[2], 5)
        assert late[0] - early[0] < 512, [each[0] for each in measured]
        assert memory(shim, "Pss") < 28 * 1024
    finally:
        cri.remove_pod(pod)
