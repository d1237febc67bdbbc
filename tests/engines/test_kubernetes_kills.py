"""Proves that allocations and pods are right after signal 9 to the plugin, a shim or containerd at
any moment of a pod's life.

Each is killed KILLS times (default: 1), at moments that are spread over the whole life.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from contextlib import suppress

import grpc
import pytest

from tests.engines.chaos import STATE
from tests.engines.ours import SHIM, owners
from tests.engines.process import wait_until
from tests.engines.releases import CONTAINERD
from tests.moments import moments

KILLS = int(os.environ.get("KILLS", "1"))
RESOURCE, PROCESSOR = "remoteproc/m3-0", "m3-0"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + KILLS * 60)]


class Life(threading.Thread):
    """A pod's life, which ends early where a call fails; `stage` is what it has begun last."""

    def __init__(self, node, name, logs):
        super().__init__()
        self.node, self.pod, self.logs = node, name, logs
        self.stage, self.said, self.wrong = "", "", False

    def begin(self, stage):
        self.stage = stage

    def run(self):
        try:
            self.node.live(self.pod, self.logs, RESOURCE, self.begin)
            self.stage = "over"
        except grpc.RpcError as error:
            self.said = error.details()
        except AssertionError as error:  # the scheduler has no processor while the plugin is away
            self.said = str(error)
            self.wrong = "Insufficient" not in self.said


def kill(node, victim, chance):
    if victim == "plugin":
        node.plugin.kill()
        node.plugin.wait(10)
    elif victim == "containerd":
        node.containerd.daemon.kill()
    elif shims := node.containerd.host.find(SHIM):
        with suppress(ProcessLookupError):
            os.kill(chance.choice(shims), 9)


def revive(node, victim):
    """Start it again, as systemd would; a shim is not."""
    if victim == "plugin":
        node.start_plugin()
    elif victim == "containerd":
        node.containerd.restart(kill=True)


def owner(node):
    """The row of the processor, if a container has it."""
    rows = owners(node.containerd).splitlines()
    (row,) = (row for row in rows if row.startswith(f"{PROCESSOR} "))
    return row if "default/" in row else ""


def check_owner(node, name):
    """A container that runs has the processor, and no other has."""
    cri = node.containerd.cri
    containers = cri.runtime.ListContainers(cri.pb.Empty()).containers
    running = [c.id for c in containers if c.state == cri.pb.CONTAINER_RUNNING]
    if running:
        (container,) = running
        assert f"default/{name}/main ({container[:12]})" in owner(node)
        assert node.runs_on(container) == PROCESSOR
    else:
        assert wait_until(lambda: not owner(node), 10), owner(node)


def remove_all(node):
    """Remove all pods; as the kubelet does, try again where that fails."""
    cri = node.containerd.cri

    def removed():
        with suppress(grpc.RpcError):
            for pod in cri.runtime.ListPodSandbox(cri.pb.Empty()).items:
                cri.remove_pod(pod)
            return True
        return False

    assert wait_until(removed, 10, every=0.2), cri.runtime.ListPodSandbox(cri.pb.Empty())
    node.kubelet.forget(RESOURCE)


@pytest.mark.parametrize("version", CONTAINERD)
def test_all_is_right_whoever_is_killed_whenever(start_node, version, tmp_path):
    node = start_node(version)
    host = node.containerd.host
    host.watched += STATE
    chance = random.Random(f"13 {version}")  # the seed makes a failure repeatable
    node.live("first", str(tmp_path), RESOURCE)  # starts what lives on, such as the fork server
    begun = time.monotonic()
    node.live("second", str(tmp_path), RESOURCE)
    longest = time.monotonic() - begun
    told = node.kubelet.allocate(RESOURCE, [PROCESSOR])
    hits: Counter[str] = Counter()
    victims = ("plugin", "shim", "containerd")
    plan = [(v, at) for v in victims for at in moments(longest, KILLS, chance)]
    for number, (victim, seconds) in enumerate(plan):
        life = Life(node, f"pod-{number}", str(tmp_path))
        life.start()
        life.join(seconds)
        stage = life.stage
        kill(node, victim, chance)
        life.join()
        moment = f"{victim} killed after {seconds:.3f} s, at {stage}: {life.said}"
        print(moment)
        hits[f"{victim}: {stage}"] += 1
        assert not life.wrong, moment
        revive(node, victim)
        check_owner(node, life.pod)
        remove_all(node)
        assert wait_until(lambda: not owner(node), 10), moment
        node.kubelet.wait(RESOURCE, {PROCESSOR: "Healthy"})
        assert node.kubelet.allocate(RESOURCE, [PROCESSOR]) == told, moment
    if version == "1.6":
        # What it was starting when it was killed, it forgets; only its next start removes that.
        # With runc's shim it is the same.
        node.containerd.restart(kill=True)
    node.live("last", str(tmp_path), RESOURCE)
    print(version, dict(hits))
    assert sum(hits.values()) == 3 * KILLS
