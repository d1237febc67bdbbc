"""A node: a kubelet's stand-in, the real plugin as a process, and the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

from tests.elf_builder import elf
from tests.kubelet import Kubelet

PROGRAM = os.path.join(os.path.dirname(sys.executable), "remoteproc-runtime")
POD = {"io.kubernetes.pod.namespace": "default", "io.kubernetes.pod.name": "board"}


class Node:
    """Keeps all in `place`, whose path is short, as those of sockets must be."""

    def __init__(self, place):
        self.place = place
        self.kubelet = Kubelet(f"{place}/plugins")
        self.log = f"{place}/log"
        self._plugins: list[subprocess.Popen] = []
        self.configure()

    def configure(self, text=""):
        with open(f"{self.place}/config.yaml", "w") as file:
            file.write(f"backend: sim\nboard: idle\nrun-directory: {self.place}/run\n{text}")

    def command(self, *words):
        return [PROGRAM, "--config", f"{self.place}/config.yaml", *words]

    def plugin(self):
        """Start the plugin; its words go to the log."""
        words = self.command("device-plugin", "--kubelet-directory", f"{self.place}/plugins")
        with open(self.log, "a") as log:
            self._plugins.append(subprocess.Popen(words, stderr=log, stdin=subprocess.DEVNULL))
        return self._plugins[-1]

    def said(self):
        with open(self.log) as file:
            return file.read()

    def run(self, *words, check=True):
        with tempfile.TemporaryFile("w+") as out:  # a supervisor would keep a pipe open
            done = subprocess.run(
                self.command(*words), stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
            )
            out.seek(0)
            text = out.read()
        assert not check or done.returncode == 0, text
        return text

    def create(self, container, annotations=None, mounts=()):
        """Create a container; return what the command said, `` for success."""
        bundle = f"{self.place}/bundle-{container}"
        os.makedirs(f"{bundle}/rootfs", exist_ok=True)
        with open(f"{bundle}/rootfs/hello.elf", "wb") as file:
            file.write(elf())
        config = {
            "process": {"args": ["hello.elf"]},
            "root": {"path": "rootfs"},
            "annotations": annotations or {},
            "mounts": list(mounts),
        }
        with open(f"{bundle}/config.json", "w") as file:
            json.dump(config, file)
        return self.run("create", "--bundle", bundle, container, check=False)

    def start(self, container, processor, pod=False):
        """Run a container, of a pod or of somebody else."""
        names = {**POD, "io.kubernetes.container.name": container} if pod else {}
        assert self.create(container, {"remoteproc.name": processor, **names}) == ""
        self.run("start", container)

    def close(self):
        self.kubelet.stop()
        for plugin in self._plugins:
            if plugin.poll() is None:
                plugin.send_signal(signal.SIGTERM)
                assert plugin.wait(10) == 0, self.said()
        for container in self.run("list", "-q").split():
            self.run("delete", "--force", container)


@pytest.fixture
def node():
    place = tempfile.mkdtemp(prefix="kubelet-")
    node = Node(place)
    yield node
    node.close()
    shutil.rmtree(place)
