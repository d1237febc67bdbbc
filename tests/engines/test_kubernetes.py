"""Proves that the processor which Kubernetes gives a pod is the one that runs its firmware, on
every containerd, whatever its configuration lets through, and whoever is killed meanwhile."""

from __future__ import annotations

import os

import grpc
import pytest

from adapters.kubernetes.cdi_files import CdiFiles
from tests.engines.conftest import PROBE
from tests.engines.node import HELLO
from tests.engines.ours import RUNTIME, SHIM, owners
from tests.engines.process import wait_until
from tests.engines.releases import CONTAINERD
from tests.engines.test_shim_pods import answers

pytestmark = pytest.mark.slow
each_version = pytest.mark.parametrize("version", CONTAINERD)


@each_version
def test_an_allocation_reaches_the_processor(start_node, version, tmp_path):
    node = start_node(version)
    cri = node.containerd.cri
    # The handler `bare` lets no annotations through.
    pods = {h: cri.run_pod(h, str(tmp_path / h), h) for h in ("bare", "remoteproc")}
    wrong = cri.run_pod("wrong", str(tmp_path), "remoteproc", {"remoteproc.name.main": "m3-0"})
    try:
        given = {}
        for pod in pods.values():
            name, told = node.kubelet.admit("remoteproc/m3")
            container = node.run(pod, "main", told, name)
            assert node.runs_on(container) == name
            given[name] = told
        assert sorted(given) == ["m3-1", "m3-2"]
        forged = cri.create(wrong, "main", HELLO, told=given["m3-1"])
        with pytest.raises(grpc.RpcError) as refused:
            cri.start(forged)
        assert "asks for processor m3-0, but Kubernetes has given this container m3-1" in (
            refused.value.details()
        )
        nobodys = cri.create(pods["bare"], "other", HELLO)
        with pytest.raises(grpc.RpcError, match="pod_annotations"):
            cri.start(nobodys)
        # The next pod has the processor as soon as the old one has gone.
        cri.remove_pod(pods.pop("bare"))
        pods["next"] = cri.run_pod("next", str(tmp_path / "next"), "bare")
        if version != "2":
            node.run(pods["next"], "main", given["m3-1"], "m3-1")
            return
        # As a DRA driver tells it; from this version on CDI needs no configuration.
        files = CdiFiles(f"{node.containerd.host.base}/run/cdi", "remoteproc")
        files.write("uid", {"m3-1": given["m3-1"].mounts[0].host_path})
        main = cri.create(pods["next"], "main", HELLO, devices=[files.device_id("uid", "m3-1")])
        node.kubelet.pre_start("remoteproc/m3", "m3-1")
        cri.start(main)
        assert node.runs_on(main) == "m3-1"
    finally:
        for pod in (*pods.values(), wrong):
            cri.remove_pod(pod)


@each_version
def test_allocations_are_right_whoever_is_killed(start_node, version, tmp_path):
    node = start_node(version)
    containerd = node.containerd
    pod = containerd.cri.run_pod("board", str(tmp_path), "bare")
    try:
        name, told = node.kubelet.admit("remoteproc/m3")
        first = node.run(pod, "main", told, name)
        node.plugin.kill()
        containerd.restart(kill=True)
        assert wait_until(lambda: answers(containerd.cri, first), 10)
        node.start_plugin()  # and the kubelet hears that both are healthy
        assert node.runs_on(first) == name
        (shim,) = containerd.host.find(SHIM)
        os.kill(shim, 9)
        containerd.cri.wait_exited(first)
        containerd.cri.remove_pod(pod)
        pod = containerd.cri.run_pod("again", str(tmp_path), "bare")
        again = node.run(pod, "main", told, name)
        assert f"default/again/main ({again[:12]})" in owners(containerd)
    finally:
        containerd.cri.remove_pod(pod)


@each_version
def test_linux_containers_beside_firmware(start_node, version, tmp_path):
    node = start_node(version)
    containerd = node.containerd
    cri = containerd.cri
    names = {"remoteproc.name.left": "m3-0", "remoteproc.name.right": "m3-3"}
    pod = cri.run_pod("mixed", str(tmp_path), "remoteproc", names)

    def run(name, image, attempt=0):
        container = cri.create(pod, name, image, attempt=attempt)
        cri.start(container)
        assert cri.status(container).state == cri.pb.CONTAINER_RUNNING
        return container

    def said(words):
        return wait_until(lambda: ("stdout", words) in cri.logs(pod, "sidecar"), 10)

    try:
        init = cri.create(pod, "init", PROBE, args=["say", "ready", "3"])
        cri.start(init)
        assert cri.wait_exited(init).exit_code == 3
        assert cri.logs(pod, "init") == [("stdout", "ready")]
        left, right, sidecar = run("left", HELLO), run("right", HELLO), run("sidecar", PROBE)
        assert len(containerd.host.find(SHIM)) == 1 and said("waiting")
        assert [node.runs_on(each) for each in (left, right)] == ["m3-0", "m3-3"]
        assert cri.stats(sidecar).memory.usage_bytes.value > 0
        executed = cri.exec_sync(sidecar, ["/probe", "say", "hello", "5"])
        assert (executed.exit_code, executed.stdout) == (5, b"hello\n")
        containerd.restart(kill=True)
        cri = containerd.cri
        assert wait_until(lambda: answers(cri, sidecar), 10)
        cri.stop(sidecar)
        assert cri.wait_exited(sidecar).exit_code == 0
        cri.remove(sidecar)
        sidecar = run("sidecar", PROBE, attempt=1)
        assert cri.status(left).state == cri.pb.CONTAINER_RUNNING
        # Whichever of the two shims dies, the pod ends, and nothing of it is left.
        (shim,) = containerd.host.find(SHIM if version == "2" else "containerd-shim-runc-v2")
        os.kill(shim, 9)
        for each in (left, right, sidecar):
            cri.wait_exited(each)
    finally:
        containerd.cri.remove_pod(pod)
    assert wait_until(lambda: "mixed" not in owners(containerd), 5)


def test_what_is_ambiguous_is_refused(start_node, tmp_path):
    node = start_node("2")
    cri = node.containerd.cri
    # All containers of the pod have this annotation, the sidecar, too.
    pod = cri.run_pod("common", str(tmp_path), "remoteproc", {"remoteproc.name": "m3-0"})
    try:
        sidecar = cri.create(pod, "sidecar", PROBE)
        with pytest.raises(grpc.RpcError, match="container sidecar runs a program of Linux"):
            cri.start(sidecar)
    finally:
        cri.remove_pod(pod)


def test_ctr_runs_linux_containers_too(start_node):
    containerd = start_node("2").containerd
    words = ("run", "--rm", "--runtime", RUNTIME, PROBE, "c1", "/probe", "say", "hello", "4")
    ran = containerd.ctr(*words, namespace="k8s.io", check=False)
    assert (ran.code, ran.stdout) == (4, "hello\n"), ran
