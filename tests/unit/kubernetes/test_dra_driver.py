"""Proves that the DRA driver, as a process, a kubelet and an API server agree on who has which
processor, whatever either of them goes through."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

import pytest

from tests.api_server import ApiServer
from tests.dra_kubelet import DraKubelet
from tests.waiting import wait_until

IDLE = [f"idle-{number}" for number in range(4)]
LATE = 50.0  # seconds: importing the client takes time on a busy machine


class Cluster:
    def __init__(self, node):
        self.node = node
        self.api = ApiServer(node.place)
        self.api.start()
        self.config = f"{node.place}/kubeconfig"
        self.api.kubeconfig(self.config)
        self.cdi = f"{node.place}/cdi"
        self.kubelet = DraKubelet(f"{node.place}/registry", self.cdi, self.api)

    def driver(self):
        words = ["--registry", self.kubelet.directory, "--cdi-directory", self.cdi]
        words += ["--kubeconfig", self.config, "--node", self.api.node]
        command = self.node.command("dra-driver", *words)
        with open(self.node.log, "a") as log:
            process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        self.node._plugins.append(process)
        return process

    def run(self):
        self.kubelet.start()
        process = self.driver()
        self.wait_devices(IDLE)
        wait_until(lambda: "remoteproc" in self.kubelet.drivers, LATE)
        return process

    def wait_devices(self, names):
        wait_until(lambda: sorted(self.api.devices()) == sorted(names), LATE)

    def said(self, words):
        wait_until(lambda: words in self.node.said(), LATE)


@pytest.fixture
def cluster(node):
    cluster = Cluster(node)
    yield cluster
    cluster.kubelet.stop()
    cluster.api.stop()


def test_a_claim_reaches_the_processor_and_waits_until_it_is_free(cluster):
    cluster.run()
    attributes, capacity = cluster.api.devices()["idle-2"]
    assert attributes == {"name": "idle-2", "resource": "idle-2", "board": "idle"}
    assert capacity == {}
    cluster.api.allocate("motor", ("firmware", "idle-2"), ("gpu", "gpu-0", "gpu.example"))
    node, kubelet = cluster.node, cluster.kubelet
    node.start("ending", "idle-2", pod=True)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(kubelet.prepare("motor")))
    waiting.start()
    waiting.join(1)
    assert not answers, "another pod still has the processor"
    node.run("delete", "--force", "ending")
    waiting.join(LATE)
    (device,) = answers[0].devices
    assert (list(device.request_names), device.pool_name, device.device_name) == (
        *(["firmware"], cluster.api.node, "idle-2"),
    )
    (cdi,) = device.cdi_device_ids
    pod = {"io.kubernetes.pod.namespace": "default", "io.kubernetes.pod.name": "motor",
           "io.kubernetes.container.name": "main"}  # fmt: skip
    assert node.create("c1", pod, kubelet.mounts(cdi)) == ""
    assert '"remoteproc.name": "idle-2"' in node.run("state", "c1")
    node.run("start", "c1")
    assert kubelet.prepare("motor") == answers[0], "at once, though its own container runs"
    assert node.create("c2", {"remoteproc.name": "idle-1"}, kubelet.mounts(cdi)) != ""
    for _ in range(2):
        kubelet.unprepare("motor")
    assert os.listdir(cluster.cdi) == []


def test_wrong_claims_and_a_second_service_are_refused_with_a_sentence(cluster):
    cluster.run()
    second = cluster.node.plugin()
    assert second.wait(LATE) == 1
    cluster.node._plugins.remove(second)
    said = cluster.node.said()
    assert "another device plugin or DRA driver serves this node's processors" in said
    cluster.api.allocate("two", ("a", "idle-0"), ("a", "idle-1"))
    cluster.api.allocate("absent", ("a", "idle-9"))
    cluster.api.allocate("other", ("a", "gpu-0", "gpu.example"))
    cluster.api.allocate("again", ("a", "idle-0"), uid="another")
    for name, words in (
        ("two", "request a of claim default/two is for 2 processors, but firmware runs on one"),
        ("absent", "this node has no processor idle-9"),
        ("other", "claim default/other has no processor of remoteproc allocated"),
        ("again", "claim default/again is another one now; delete the pod"),
        ("nowhere", "cannot get ResourceClaim default/nowhere: the API server https://"),
    ):
        assert words in cluster.kubelet.prepare(name).error
    cluster.api.allocate("both", ("a/first", "idle-0"), ("b", "idle-1"))
    devices = cluster.kubelet.prepare("both").devices
    assert [(d.request_names[0], d.device_name) for d in devices] == [
        ("a", "idle-0"),
        ("b", "idle-1"),
    ]


def test_the_slice_is_there_again_after_kubelets_kills_and_changes(cluster):
    process = cluster.run()
    cluster.kubelet.stop()
    cluster.kubelet.start()
    cluster.wait_devices(IDLE)
    cluster.api.wipe()  # by a kubelet that was late to do so
    cluster.wait_devices(IDLE)
    cluster.node.start("foreign", "idle-0")
    cluster.wait_devices(IDLE[1:])
    cluster.node.run("delete", "--force", "foreign")
    cluster.wait_devices(IDLE)
    writes = list(cluster.api.writes)
    assert writes[-2:] == ["PUT", "PUT"] and writes.count("POST") == len(writes) - 2
    cluster.api.allocate("motor", ("firmware", "idle-3"))
    before = cluster.kubelet.prepare("motor")
    registrations, shown = cluster.kubelet.registrations, cluster.node.said().count("is shown")
    process.send_signal(signal.SIGKILL)
    process.wait()
    cluster.driver()
    wait_until(lambda: cluster.kubelet.registrations > registrations, LATE)
    assert cluster.kubelet.prepare("motor") == before
    wait_until(lambda: cluster.node.said().count("is shown") > shown, LATE)
    assert cluster.api.writes == writes, "what is right is left alone"


def test_an_api_server_that_is_away_or_not_trusted_is_said_and_asked_again(cluster):
    cluster.api.kubeconfig(cluster.config, authority="stranger")
    cluster.kubelet.start()
    cluster.driver()
    cluster.said("no trust between this node and the API server https://127.0.0.1:")
    cluster.api.kubeconfig(cluster.config)
    cluster.wait_devices(IDLE)
    cluster.api.allocate("motor", ("firmware", "idle-3"))
    cluster.api.stop()
    cluster.node.start("foreign", "idle-0")
    cluster.said("does not answer:")
    error = cluster.kubelet.prepare("motor").error
    assert "cannot get ResourceClaim default/motor: the API server" in error
    cluster.api.start()
    cluster.wait_devices(IDLE[1:])
    assert cluster.kubelet.prepare("motor").error == ""
    said = [line for line in cluster.node.said().splitlines() if "does not answer" in line]
    assert len(said) == len(set(said)), "once, however often it is tried"
