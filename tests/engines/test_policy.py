"""Proves that the node's policy holds under Podman and containerd, whatever an image says."""

from __future__ import annotations

import json

import grpc
import pytest

from features.backends.signer import Signer
from tests.engines.conftest import PROBE
from tests.engines.containerd import PAUSE
from tests.engines.images import Image, write_oci
from tests.engines.ours import RUNTIME, SAMPLES, owners
from tests.engines.podman import Podman
from tests.engines.process import wait_until
from tests.engines.releases import CONTAINERD, PODMAN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Images:
    """Makes images of the sample program `hello`, and knows who signs firmware."""

    def __init__(self, folder):
        self._folder = folder
        self.signer = Signer(f"{folder}/plant.pem")
        with open(f"{SAMPLES}/hello.elf", "rb") as file:
            self.firmware = file.read()

    def archive(self, name, files=None, **annotations):
        files = {"hello.elf": self.firmware, **(files or {})}
        # Podman takes images for one that differ in nothing but annotations.
        labels = {"name": name}
        made = Image(f"localhost/{name}:1", files, ["/hello.elf"], None, labels, annotations)
        return write_oci(made, f"{self._folder}/{name}.tar")

    def signed(self):
        return self.archive("signed", {"hello.elf.sig": self.signer.sign(self.firmware)})

    def changed(self):
        """One bit is not as it was when the firmware was signed."""
        changed = bytearray(self.firmware)
        changed[len(changed) // 2] ^= 1
        signature = self.signer.sign(self.firmware)
        return self.archive("changed", {"hello.elf": bytes(changed), "hello.elf.sig": signature})

    def etc(self, processors):
        with open(self.signer.public) as file:
            key = file.read()
        config = f"backend: sim\nboard: quad\nprocessors: {json.dumps(processors)}\n"
        return {"remoteproc-runtime/config.yaml": config, "remoteproc-runtime/plant.pem": key}


@pytest.fixture
def images(tmp_path):
    return Images(str(tmp_path))


SIGNED = {"require": "signature", "keys": ["plant.pem"]}


@pytest.mark.parametrize("version", PODMAN)
def test_podman(start_podman, runtime_path, images, version):
    processors = {"m3-0": {"image-annotations": "refuse"}, "m3-1": SIGNED}
    processors["m3-2"] = {"users": ["nobody"]}
    podman: Podman = start_podman(
        version, runtime=f"{runtime_path}/remoteproc-runtime", etc=images.etc(processors)
    )
    cri = "io.kubernetes.cri"
    sandbox = {f"{cri}.container-type": "sandbox", f"{cri}.sandbox-id": "c1"}
    for archive in (
        images.archive("chooses", **{"remoteproc.name": "m3-0"}),
        images.archive("takes", **{"remoteproc.name": "m3-3", "remoteproc.attached": "take"}),
        images.archive("pretends", **sandbox, **{"remoteproc.name": "m3-3"}),
        images.archive("plain"),
        images.signed(),
        images.changed(),
    ):
        podman.load(archive)

    def refused(image, processor=""):
        words = ["--annotation", f"remoteproc.name={processor}"] if processor else []
        ran = podman.run("--rm", *words, f"localhost/{image}:1", check=False)
        assert ran.code != 0
        return ran.stderr

    if version == "4":
        assert "annotation remoteproc.name may come from the image" in refused("chooses")
        assert "remoteproc.attached = take is not allowed for processor m3-3" in refused("takes")
    else:  # it copies no annotations out of images
        assert "no processor is named" in refused("chooses")
    assert "may come from the image" in refused("plain", "m3-0")
    assert "user root may not have processor m3-2" in refused("plain", "m3-2")
    assert "/hello.elf is not signed" in refused("plain", "m3-1")
    assert "is not of this firmware" in refused("changed", "m3-1")

    def runs(image, processor, *words, said=()):
        podman.podman(*said, "run", "-d", "--name", "one", "--network", "none", *words,
                      f"localhost/{image}:1")  # fmt: skip
        assert wait_until(lambda: "tick 1" in podman.podman("logs", "one").stdout, 10)
        container = podman.inspect("one")["Id"]
        shown = podman.host.run(podman.runtime, "processors", "--format", "json").stdout
        rows = json.loads(shown)
        assert [row["name"] for row in rows if row["owner"] == container] == [processor]
        podman.podman("rm", "-f", "-t", "2", "one")

    said = ["--runtime-flag", "annotations=remoteproc.name=m3-0,remoteproc.console=trace"]
    runs("chooses", "m3-0", said=said)
    pretended = [f"--annotation={key}={value}" for key, value in sandbox.items()]
    runs(
        "pretends", "m3-3", *pretended, "--annotation=remoteproc.name=m3-3"
    )  # and does not show "Up" while nothing runs
    runs("signed", "m3-1", "--annotation", "remoteproc.name=m3-1")


@pytest.mark.parametrize("version", CONTAINERD)
def test_containerd(start_containerd, probe, images, tmp_path, version):
    processors = {
        "m3-0": {"kubernetes-namespaces": ["default"]},
        "m3-1": {"kubernetes-namespaces": ["plant"], "containerd-namespaces": ["default"]},
        "m3-2": SIGNED,
    }
    containerd = start_containerd(version, etc=images.etc(processors))
    for archive in (images.archive("plain"), images.signed(), images.changed()):
        containerd.load(archive)
        containerd.load(archive, "k8s.io")
    for archive in (probe(PAUSE), probe(PROBE)):
        containerd.load(archive, "k8s.io")

    names = {"remoteproc.name.main": "m3-0", "remoteproc.name.other": "m3-1"}
    names |= {"remoteproc.name.unsigned": "m3-2"}
    pod = containerd.cri.run_pod("board", str(tmp_path), handler="remoteproc", annotations=names)
    try:
        main = containerd.cri.create(pod, "main", "localhost/plain:1")
        containerd.cri.start(main)
        assert main[:12] in owners(containerd)  # as many as the table shows
        for name, says in (
            ("other", "Kubernetes namespace default may not have processor m3-1"),
            ("unsigned", "/hello.elf is not signed"),
        ):
            with pytest.raises(grpc.RpcError, match=says):
                containerd.cri.start(containerd.cri.create(pod, name, "localhost/plain:1"))
    finally:
        containerd.cri.remove_pod(pod)

    def run(image, processor, *words, check=True):
        flags = ["-d", "--runtime", RUNTIME, "--annotation", f"remoteproc.name={processor}"]
        return containerd.ctr("run", *flags, *words, f"localhost/{image}:1", "one", check=check)

    def refused(*words):
        ran = run(*words, check=False)
        assert ran.code != 0
        containerd.ctr("container", "rm", "one", check=False)
        return ran.stderr

    pretended = ["--annotation", "io.kubernetes.cri.sandbox-namespace=default"]
    says = refused("plain", "m3-0", *pretended)
    assert "containerd namespace default may not have processor m3-0" in says
    assert "/hello.elf is not signed" in refused("plain", "m3-2")
    assert "is not of this firmware" in refused("changed", "m3-2")
    for image, processor in (("plain", "m3-1"), ("signed", "m3-2")):
        run(image, processor)
        assert any(processor in row and "one" in row for row in owners(containerd).splitlines())
        containerd.ctr("task", "rm", "-f", "one")
        containerd.ctr("container", "rm", "one")
