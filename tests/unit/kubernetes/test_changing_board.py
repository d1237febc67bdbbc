"""Proves that the kubelet is told when a processor appears, dies, is renamed, goes and is back."""

from __future__ import annotations

import os
import shutil

import pytest


class Tree:
    """The kernel's files of processors."""

    def __init__(self, root):
        self.root = root
        os.makedirs(f"{root}/sys/class/remoteproc")

    def place(self, number):
        return f"{self.root}/sys/class/remoteproc/remoteproc{number}"

    def write(self, number, **files):
        for name, text in files.items():
            with open(f"{self.place(number)}/{name}", "w") as file:
                file.write(f"{text}\n")

    def add(self, number, name):
        os.mkdir(self.place(number))
        self.write(number, name=name, state="offline", firmware="rproc-fw")

    def remove(self, number):
        shutil.rmtree(self.place(number))


@pytest.fixture
def tree(node):
    tree = Tree(f"{node.place}/tree")
    with open(f"{node.place}/config.yaml", "w") as file:
        file.write(f"backend: sysfs\ntree: tree\nrun-directory: {node.place}/run\n")
    return tree


def test_each_change_reaches_the_kubelet(node, tree):
    kubelet = node.kubelet
    tree.add(0, "m4")
    kubelet.start()
    node.plugin()

    def told(name, health):
        kubelet.wait(f"remoteproc/{name}", {name: health})

    told("m4", "Healthy")
    tree.add(1, "m7")
    told("m7", "Healthy")
    for state, health in (("crashed", "Unhealthy"), ("offline", "Healthy")):
        tree.write(0, state=state)
        told("m4", health)
    tree.write(1, name="m7-renamed")
    told("m7-renamed", "Healthy")
    told("m7", "Unhealthy")
    tree.remove(0)
    told("m4", "Unhealthy")
    assert "m4 of remoteproc/m4 cannot be had: this board does not have it now" in node.said()
    tree.add(0, "m4")
    told("m4", "Healthy")
