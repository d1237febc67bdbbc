"""Proves that the harness starts each containerd, drives it, and finds what it leaves behind."""

from __future__ import annotations

import pytest

from tests.engines.conftest import PROBE
from tests.engines.containerd import PAUSE, Containerd
from tests.engines.process import wait_until
from tests.engines.releases import CONTAINERD

pytestmark = pytest.mark.slow
each_version = pytest.mark.parametrize("version", CONTAINERD)


@each_version
def test_runs_a_container_and_leaves_nothing(start_containerd, probe, version):
    containerd = start_containerd(version)
    assert f" {version}." in containerd.ctr("version").stdout.replace("v", " ")
    containerd.load(probe())
    ran = containerd.ctr("run", "--rm", PROBE, "one", "/probe", "say", "hello", "3", check=False)
    assert (ran.code, ran.text) == (3, "hello")


@each_version
def test_pod_lifecycle(start_containerd, probe, tmp_path, version):
    containerd = start_containerd(version)
    for image in (PAUSE, PROBE):
        containerd.load(probe(image), "k8s.io")
    cri = containerd.cri
    pod = cri.run_pod("pod", str(tmp_path), handler="runc", annotations={"remoteproc.name": "m4"})
    try:
        container = cri.create(pod, "main", PROBE)
        cri.start(container)
        assert cri.status(container).state == cri.pb.CONTAINER_RUNNING
        assert wait_until(lambda: cri.logs(pod, "main") == [("stdout", "waiting")], 5)
        done = cri.exec_sync(container, ["/probe", "say", "inside", "4"])
        assert (done.stdout, done.exit_code) == (b"inside\n", 4)
        stats = cri.stats(container)
        assert stats.attributes.id == container and stats.memory.usage_bytes.value > 0
        cri.stop(container)
        assert cri.wait_exited(container).exit_code == 0
        cri.remove(container)
    finally:
        cri.remove_pod(pod)


@pytest.mark.parametrize("kill", [False, True], ids=["graceful", "killed"])
@pytest.mark.parametrize("old, new", [("1.6", "1.7"), ("1.7", "2")])
def test_container_outlives_an_upgrade(start_containerd, probe, old, new, kill):
    containerd = start_containerd(old)
    containerd.load(probe())
    containerd.ctr("run", "-d", PROBE, "one")
    pid = containerd.ctr("task", "ls").stdout.split()[4]
    containerd.restart(new, kill=kill)
    assert containerd.ctr("task", "ls").stdout.split()[3:] == ["one", pid, "RUNNING"]
    events = containerd.listen()
    containerd.ctr("task", "kill", "one")
    assert wait_until(lambda: "/tasks/exit" in events.output(), 5)
    events.kill()
    assert wait_until(lambda: "STOPPED" in containerd.ctr("task", "ls").stdout)
    containerd.ctr("task", "rm", "one")
    containerd.ctr("c", "rm", "one")


def test_a_forgotten_container_is_reported(releases, runtime_path, probe):
    containerd = Containerd(releases, "2", [runtime_path])
    containerd.load(probe())
    containerd.ctr("run", "-d", PROBE, "forgotten")
    with pytest.raises(AssertionError, match="forgotten"):
        containerd.close()


def test_a_forgotten_process_is_reported(releases, runtime_path):
    containerd = Containerd(releases, "2", [runtime_path])
    containerd.host.run("sh", "-c", "setsid sleep 1000 &")
    with pytest.raises(AssertionError, match="sleep 1000"):
        containerd.close(within=0.2)
