"""Proves that a processor is free for the next pod within two seconds of the old pod's end."""

from __future__ import annotations

import os
import time

import pytest

from tests.engines.node import HELLO
from tests.engines.ours import owners
from tests.engines.releases import CONTAINERD

pytestmark = pytest.mark.slow

RESOURCE, PROCESSOR = "remoteproc/m3-0", "m3-0"
CRASH = "localhost/crash:1"
WITHIN = 2.0  # seconds


def supervisor(containerd, container):
    """Its pid, which is the container's."""
    rows = containerd.ctr("task", "ls", namespace="k8s.io").stdout.splitlines()
    (pid,) = (row.split()[1] for row in rows if row.startswith(container))
    return int(pid)


def take_over(node, logs, round_):
    """Let four pods have the processor, one after the other; return the seconds between them.

    The first is stopped, the supervisor of the second is killed, the third crashes. The next pod is
    admitted when the old one has ended; the seconds are from that end until the next one runs, by
    containerd's own times. The first one's, `free`, are from its admission.
    """
    cri = node.containerd.cri
    ends = {
        "stopped": (HELLO, cri.stop),
        "killed": (HELLO, lambda old: os.kill(supervisor(node.containerd, old), 9)),
        "crashed": (CRASH, lambda old: None),
        "last": (HELLO, cri.stop),
    }
    taken, pods, before, old_end = {}, [], "free", time.time_ns()
    try:
        for how, (image, end) in ends.items():
            given, told = node.kubelet.admit(RESOURCE)
            pods.append(cri.run_pod(f"{how}-{round_}", logs, "bare"))
            container = node.run(pods[-1], "main", told, given, image, RESOURCE)
            taken[before] = (cri.status(container).started_at - old_end) / 1e9
            if image == HELLO:
                assert node.runs_on(container) == PROCESSOR
                assert f"default/{how}-{round_}/main" in owners(node.containerd)
            end(container)
            before, old_end = how, cri.wait_exited(container).finished_at
            node.kubelet.forget(RESOURCE)
    finally:
        for pod in pods:
            cri.remove_pod(pod)
    return taken


@pytest.mark.parametrize("version", CONTAINERD)
def test_the_next_pod_runs_within_two_seconds(start_node, version, tmp_path):
    node = start_node(version)
    for round_ in range(2):  # a busy machine has a second chance
        taken = take_over(node, str(tmp_path), round_)
        print(version, taken)
        # On a busy machine a pod takes long even where the processor has been free all the time.
        within = max(WITHIN, 2 * taken.pop("free"))
        if max(taken.values()) <= within:
            break
    assert sorted(taken) == ["crashed", "killed", "stopped"]
    assert max(taken.values()) <= within, (taken, within)
