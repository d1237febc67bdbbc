"""A node of a cluster: containerd, the device plugin, and a stand-in for the kubelet."""

from __future__ import annotations

from tests.kubelet import Kubelet

POOL = "remoteproc/m3"  # a resource of two processors; the others are resources of their own
RESOURCES = {POOL: ("m3-1", "m3-2"), "remoteproc/m3-0": ("m3-0",), "remoteproc/m3-3": ("m3-3",)}
CONFIG = "kubernetes: {resources: {m3: [m3-1, m3-2]}}\n"
HELLO = "localhost/hello:1"


class Node:
    """containerd, the plugin, and a kubelet's stand-in that gives processors to pods."""

    def __init__(self, containerd):
        self.containerd = containerd
        self.kubelet = Kubelet(f"{containerd.host.base}/plugins")
        self.kubelet.start()
        self.start_plugin()

    def start_plugin(self):
        words = ["remoteproc-runtime", "device-plugin", "--kubelet-directory"]
        self.plugin = self.containerd.host.spawn([*words, self.kubelet.directory])
        for resource, names in RESOURCES.items():
            self.kubelet.wait(resource, dict.fromkeys(names, "Healthy"), 20)

    def run(self, pod, container, told, name, image=HELLO, resource=POOL, say=lambda words: None):
        """Create and start a container, as the kubelet does; return its id."""
        cri = self.containerd.cri
        say("create")
        created = cri.create(pod, container, image, told=told)
        say("start")
        self.kubelet.pre_start(resource, name)
        cri.start(created)
        return created

    def runs_on(self, container):
        """The processor, as the firmware's container itself tells."""
        probed = self.containerd.cri.exec_sync(container, ["status"])
        assert probed.exit_code == 0, probed
        return probed.stdout.decode().split("running on ")[1].split()[0].rstrip(".,:;")

    def live(self, name, logs, resource, say=lambda words: None):
        """Lead a pod from its admission to its removal, as the kubelet does; raise what fails."""
        say("allocate")
        given, told = self.kubelet.admit(resource)
        cri = self.containerd.cri
        say("make the sandbox")
        pod = cri.run_pod(name, logs, "bare")
        container = self.run(pod, "main", told, given, resource=resource, say=say)
        say("run")
        assert self.runs_on(container) == given
        say("stop")
        cri.stop(container)
        say("remove")
        cri.remove(container)
        cri.remove_pod(pod)
        self.kubelet.forget(resource)

    def close(self):
        self.kubelet.stop()
        self.plugin.kill()
