"""Proves that pods of firmware containers run on every containerd, beside ordinary pods."""

from __future__ import annotations

import os

import grpc
import pytest

from tests.engines.conftest import PROBE
from tests.engines.containerd import PAUSE
from tests.engines.ours import ETC, SHIM, owners
from tests.engines.process import wait_until
from tests.engines.releases import CONTAINERD

pytestmark = pytest.mark.slow
each_version = pytest.mark.parametrize("version", CONTAINERD)


@pytest.fixture
def start(start_containerd, firmware, probe):
    def started(version):
        containerd = start_containerd(version, etc=ETC)
        for archive in (*map(firmware, ("hello", "crash", "exit")), probe(PAUSE), probe(PROBE)):
            containerd.load(archive, "k8s.io")
        return containerd

    return started


def answers(cri, container):
    """Whether CRI is ready again: that is later than containerd."""
    try:
        return cri.status(container)
    except grpc.RpcError:
        return False


@each_version
def test_two_processors_in_one_pod_beside_an_ordinary_one(start, version, tmp_path):
    containerd = start(version)
    cri = containerd.cri
    logs = [tmp_path / "firmware", tmp_path / "ordinary"]
    names = {"remoteproc.name.left": "m3-0", "remoteproc.name.right": "m3-1"}
    pod = cri.run_pod("board", str(logs[0]), handler="remoteproc", annotations=names)
    other = cri.run_pod("other", str(logs[1]), handler="runc", annotations=names)
    try:
        containers = {n: cri.create(pod, n, "localhost/hello:1") for n in ("left", "right")}
        ordinary = cri.create(other, "main", PROBE)
        for container in (*containers.values(), ordinary):
            cri.start(container)
            assert cri.status(container).state == cri.pb.CONTAINER_RUNNING
        for name in containers:

            def ticked(name=name):
                return ("stdout", "tick 2") in cri.logs(pod, name)

            assert wait_until(ticked, 10), cri.logs(pod, name)
        assert wait_until(lambda: cri.logs(other, "main") == [("stdout", "waiting")], 5)
        shims = containerd.host.find(SHIM)
        assert len(shims) == 1, "one shim serves the pod"
        for container in (*containers.values(), ordinary):
            stats = cri.stats(container)
            assert stats.memory.usage_bytes.value > 0
        for name, processor in (("left", "m3-0"), ("right", "m3-1")):
            probed = cri.exec_sync(containers[name], ["status"])  # as the kubelet's exec probes
            assert probed.exit_code == 0 and f"running on {processor}".encode() in probed.stdout
        probed = cri.exec_sync(containers["left"], ["cat", "/tmp/healthy"])
        assert probed.exit_code == 127 and b"no program 'cat'" in probed.stderr
        owned = owners(containerd)
        assert containers["left"] in owned and containers["right"] in owned
        containerd.restart()
        cri = containerd.cri
        assert wait_until(lambda: answers(cri, ordinary), 10)
        for container in (*containers.values(), ordinary):
            assert cri.status(container).state == cri.pb.CONTAINER_RUNNING
        cri.stop(containers["left"])
        assert cri.wait_exited(containers["left"]).exit_code == 0
        assert cri.status(containers["right"]).state == cri.pb.CONTAINER_RUNNING
        cri.remove(containers["left"])
        again = cri.create(pod, "left", "localhost/hello:1", attempt=1)
        cri.start(again)
    finally:
        cri.remove_pod(pod)
        cri.remove_pod(other)
    assert "m3-0" in owners(containerd)
    assert not any(c in owners(containerd) for c in containers.values())


@each_version
def test_exits_are_reported_to_the_kubelet(start, version, tmp_path):
    containerd = start(version)
    cri = containerd.cri
    names = {"remoteproc.name": "m3-2"}
    pod = cri.run_pod("board", str(tmp_path), handler="remoteproc", annotations=names)
    try:
        for program, code in (("exit", 7), ("crash", 139)):
            container = cri.create(pod, program, f"localhost/{program}:1")
            cri.start(container)
            ended = cri.wait_exited(container)
            # Firmware that fails at once may end before containerd has noted its start.
            assert ended.exit_code == code and ended.finished_at > ended.created_at
            cri.remove(container)
        assert any(s == "stderr" and "crashed" in text for s, text in cri.logs(pod, "crash"))
    finally:
        cri.remove_pod(pod)


@each_version
def test_a_killed_shim_ends_the_pod(start, version, tmp_path):
    containerd = start(version)
    cri = containerd.cri
    pod = cri.run_pod("board", str(tmp_path), "remoteproc", {"remoteproc.name": "m3-0"})
    try:
        container = cri.create(pod, "main", "localhost/hello:1")
        cri.start(container)
        (shim,) = containerd.host.find(SHIM)
        os.kill(shim, 9)
        # containerd cannot wait any longer, and has a number for that.
        assert cri.wait_exited(container).exit_code in (137, 255)
    finally:
        cri.remove_pod(pod)
    assert wait_until(lambda: container not in owners(containerd), 5)
