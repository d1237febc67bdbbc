"""Proves that pods of firmware containers run on every containerd, beside ordinary pods."""

from __future__ import annotations

import os

import grpc
import pytest

from tests.engines.conftest import PROBE
from tests.engines.containerd import PAUSE, Containerd
from tests.engines.groups_of import limit, run_out_of_memory
from tests.engines.images import write_oci
from tests.engines.ours import ETC, SAMPLES, SHIM, owners, sample
from tests.engines.process import wait_until
from tests.engines.releases import CONTAINERD

pytestmark = pytest.mark.slow
each_version = pytest.mark.parametrize("version", CONTAINERD)


def load(containerd, firmware, probe):
    for archive in (*map(firmware, ("hello", "crash", "exit")), probe(PAUSE), probe(PROBE)):
        containerd.load(archive, "k8s.io")


@pytest.fixture
def start(start_containerd, firmware, probe):
    def started(version):
        containerd = start_containerd(version, etc=ETC)
        load(containerd, firmware, probe)
        return containerd

    return started


# One worker runs the tests of a version, one after the other, on one daemon.
VERSIONS = [pytest.param(v, marks=pytest.mark.xdist_group(f"pods {v}")) for v in CONTAINERD]


@pytest.fixture(scope="module", params=VERSIONS)
def one_of_each_version(request, releases, runtime_path, firmware, probe):
    with Containerd(releases, request.param, [runtime_path], etc=ETC) as containerd:
        load(containerd, firmware, probe)
        yield containerd


@pytest.fixture
def shared(one_of_each_version):
    cri = one_of_each_version.cri
    yield one_of_each_version
    for pod in cri.runtime.ListPodSandbox(cri.pb.Empty()).items:  # of a test that failed
        cri.remove_pod(pod)


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
        for probe, code in (("printed 'tick 1' || exit 1", 0), ("trace | grep tick", 2)):
            assert cri.exec_sync(containers["left"], ["sh", "-c", probe]).exit_code == code
        owned = owners(containerd)
        for name, processor in (("left", "m3-0"), ("right", "m3-1")):
            (row,) = (line for line in owned.splitlines() if line.startswith(processor))
            assert f"default/board/{name} ({containers[name][:12]})" in row, owned
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
    assert not any(c[:12] in owners(containerd) for c in containers.values())


def test_exits_are_reported_to_the_kubelet(shared, tmp_path):
    cri = shared.cri
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


def test_an_owner_is_named_as_the_cluster_knows_it(shared, tmp_path):
    cri = shared.cri
    pod = cri.run_pod("board", str(tmp_path), "remoteproc", {"remoteproc.name": "m3-0"})
    try:
        first, second = (cri.create(pod, n, "localhost/hello:1") for n in ("main", "other"))
        cri.start(first)
        with pytest.raises(grpc.RpcError) as refused:
            cri.start(second)
        owner = f"default/board/main ({first[:12]})"
        assert f"processor m3-0 belongs to container {owner}" in refused.value.details()
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
    assert wait_until(lambda: container[:12] not in owners(containerd), 5)


def test_firmware_is_found_in_the_pods_volumes(shared, tmp_path):
    cri = shared.cri
    # A ConfigMap's volume, as the kubelet makes it.
    volume = tmp_path / "volume"
    (volume / "..2026").mkdir(parents=True)
    with open(f"{SAMPLES}/exit.elf", "rb") as file:
        (volume / "..2026/main.elf").write_bytes(file.read())
    (volume / "..data").symlink_to("..2026")
    (volume / "main.elf").symlink_to("..data/main.elf")
    pod = cri.run_pod("board", str(tmp_path / "logs"), "remoteproc", {"remoteproc.name": "m3-0"})
    try:
        words = {"command": ["/fw/main.elf"], "mounts": {"/fw": str(volume)}}
        container = cri.create(pod, "main", "localhost/hello:1", **words)
        cri.start(container)
        assert cri.wait_exited(container).exit_code == 7
    finally:
        cri.remove_pod(pod)


def test_the_reason_of_a_crash_is_in_the_termination_log(shared, tmp_path):
    cri = shared.cri
    pod = cri.run_pod("board", str(tmp_path), "remoteproc", {"remoteproc.name": "m3-0"})
    try:
        # The kubelet makes an empty file for each attempt, and reads it when that has ended.
        for program, reason in (
            ("crash", "m3-0: crashed: lockup"),
            ("exit", "m3-0: the firmware ended: exit code 7"),
        ):
            log = tmp_path / f"{program}-log"
            log.touch()
            mounts = {"/dev/termination-log": str(log)}
            container = cri.create(pod, program, f"localhost/{program}:1", mounts=mounts)
            cri.start(container)
            cri.wait_exited(container)
            assert log.read_text().startswith(reason), log.read_text()
            cri.remove(container)
    finally:
        cri.remove_pod(pod)


def test_a_failed_start_is_told_as_for_runc(shared, tmp_path):
    cri = shared.cri
    for handler, image in (("runc", PROBE), ("remoteproc", "localhost/hello:1")):
        annotations = {"remoteproc.name": "m3-0"}
        pod = cri.run_pod(handler, str(tmp_path / handler), handler, annotations)
        try:
            container = cri.create(pod, "main", image, command=["/none.elf"])
            with pytest.raises(grpc.RpcError, match="no such file or directory"):
                cri.start(container)
            failed = cri.status(container)
            assert (failed.exit_code, failed.reason) == (128, "StartError"), handler
        finally:
            cri.remove_pod(pod)


def test_the_images_stop_signal_stops_gracefully(shared, tmp_path):
    named = sample("hello")._replace(name="localhost/quit:1", stop_signal="SIGQUIT")
    shared.load(write_oci(named, str(tmp_path / "quit.tar")), "k8s.io")
    cri = shared.cri
    pod = cri.run_pod("board", str(tmp_path), "remoteproc", {"remoteproc.name": "m3-0"})
    try:
        container = cri.create(pod, "main", "localhost/quit:1")
        cri.start(container)
        cri.stop(container, grace=30)
        ended = cri.status(container)
        assert ended.exit_code == 0 and ended.finished_at - ended.started_at < 20e9
    finally:
        cri.remove_pod(pod)


def test_the_kubelet_updates_resources(shared, tmp_path):
    cri = shared.cri
    names = {"remoteproc.name": "m3-0"}
    pod = cri.run_pod("board", str(tmp_path), handler="remoteproc", annotations=names)
    try:
        container = cri.create(pod, "main", "localhost/hello:1")
        cri.start(container)
        cri.update(container, cpuset_cpus="0", memory_limit_in_bytes=300 << 20, cpu_shares=64)
        (pid,) = shared.host.find(f"remoteproc-supervisor {container[:12]}")
        assert limit(pid, "cpuset", "cpuset.cpus") == "0"
        assert limit(pid, "memory", "memory.limit_in_bytes") == str(300 << 20)
        assert limit(pid, "cpu", "cpu.shares") == "64"
        assert cri.status(container).state == cri.pb.CONTAINER_RUNNING
    finally:
        cri.remove_pod(pod)


def test_the_kubelet_is_told_of_memory_as_the_kernel_has_it(shared, tmp_path):
    cri = shared.cri
    names = {"remoteproc.name": "m3-0"}
    pod = cri.run_pod("board", str(tmp_path), handler="remoteproc", annotations=names)
    try:
        container = cri.create(pod, "main", "localhost/hello:1")
        cri.start(container)
        cri.update(container, memory_limit_in_bytes=128 << 20)
        (pid,) = shared.host.find(f"remoteproc-supervisor {container[:12]}")
        used = cri.stats(container).memory
        charged = int(limit(pid, "memory", "memory.usage_in_bytes"))
        assert used.working_set_bytes.value <= charged * 1.1, (used, charged)
        (qemu,) = shared.host.find("qemu-system")
        run_out_of_memory(qemu)
        ended = cri.wait_exited(container)
        assert (ended.exit_code, ended.reason) == (137, "OOMKilled"), ended
    finally:
        cri.remove_pod(pod)
