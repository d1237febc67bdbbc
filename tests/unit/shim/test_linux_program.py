"""What is to run on Linux is told from firmware, whatever image, annotations and mounts say."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading

import pytest

from adapters.containerd import linux_shim
from adapters.containerd.api import task_pb2 as api
from adapters.containerd.api.anys import pack
from adapters.containerd.api.runc_options_pb2 import Options
from adapters.containerd.delete import LINUX_MARK
from adapters.containerd.linux_containers import LinuxContainers
from adapters.containerd.linux_delete import delete_linux
from adapters.containerd.linux_program import explain, is_for_linux
from adapters.containerd.linux_shim import ShimPlace, start_shim
from domain.errors import InvalidRequest, NotFound
from tests.elf_builder import elf

CRI = "io.kubernetes.cri."
NAME = {f"{CRI}container-type": "container", f"{CRI}container-name": "side"}
PLACE = "/run/remoteproc-runtime/processor"
HERE = os.path.realpath("/bin/true")


@pytest.fixture
def image(tmp_path):
    """A bundle whose image has programs of several kinds."""
    root = tmp_path / "rootfs"
    (root / "usr/bin").mkdir(parents=True)
    shutil.copy(HERE, root / "usr/bin/true")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "hello.elf").write_bytes(elf())
    (root / "text").write_text("no program")
    (root / "short").write_bytes(b"\x7fELF")
    shutil.copy(HERE, tmp_path / "hosts")
    (root / "outside").symlink_to(tmp_path / "hosts")
    os.mkfifo(root / "fifo")
    return tmp_path


def told(image, *args, annotations=None, mounts=(), **process):
    document = {
        "process": {"args": list(args), "cwd": "/", **process},
        "annotations": NAME if annotations is None else annotations,
        "mounts": list(mounts),
    }
    return is_for_linux("c1", document, str(image), f"{image}/rootfs")


def test_what_linux_executes(image):
    assert told(image, "/usr/bin/true") and told(image, "usr/bin/true", "-x")
    assert told(image, "true"), "found as runc finds it"
    assert told(image, "tool", env=["PATH=/opt:/usr/bin"]) is False
    os.rename(image / "rootfs/usr/bin/true", image / "rootfs/usr/bin/tool")
    assert told(image, "tool", "a", "b", env=["A=b", "PATH=/opt:/usr/bin"])
    assert told(image, "run.sh") and told(image, "/run.sh")


@pytest.mark.parametrize("name", ["hello.elf", "text", "short", "fifo", "usr", "none", "outside"])
def test_what_it_does_not(image, name):
    assert not told(image, name)
    assert not told(image, f"/{name}")


def test_a_container_with_a_processor_is_firmwares(image):
    for key in ("remoteproc.name", "remoteproc.mcu", "remoteproc.name.side"):
        assert not told(image, "true", annotations={**NAME, key: "m4"})
    mount = {"destination": PLACE, "type": "bind", "source": "/x", "options": ["ro"]}
    assert not told(image, "true", mounts=[mount])
    for key in ("remoteproc.name.other", "remoteproc.console"):
        assert told(image, "true", annotations={**NAME, key: "none"})


def test_a_program_in_a_volume_is_found(image, tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    shutil.copy(HERE, volume / "tool")
    mount = {"destination": "/opt", "type": "bind", "source": str(volume), "options": ["rbind"]}
    assert told(image, "/opt/tool", mounts=[mount])


def test_a_sandbox_is_no_linux_container(image):
    sandbox = {f"{CRI}container-type": "sandbox", f"{CRI}sandbox-id": "c1"}
    assert not told(image, "true", annotations=sandbox)


@pytest.mark.parametrize("document", [None, [], {}, {"process": {}}, {"process": {"args": [7]}}])
def test_a_wrong_document_is_left_to_firmwares_errors(image, document):
    assert not is_for_linux("c1", document, str(image), f"{image}/rootfs")


def test_the_pods_processor_for_a_program_of_linux_is_explained(image):
    for args, given, hint in (
        (["true"], NAME, "container side runs a program of Linux, but has a processor"),
        (["hello.elf"], NAME, "as it was"),
        (["true"], {}, "as it was"),
    ):
        document = {"process": {"args": args}, "annotations": given}
        error = InvalidRequest("refused", hint="as it was")
        explain(error, document, str(image), f"{image}/rootfs")
        assert error.hint.startswith(hint)


def test_a_missing_runc_is_said(tmp_path, monkeypatch):
    shim = tmp_path / "containerd-shim-runc-v2"
    shim.write_text("#!/bin/false\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    containers = LinuxContainers("k8s.io", "", print, print)
    request = api.CreateTaskRequest(id="c1", bundle=str(tmp_path))
    with pytest.raises(NotFound, match="firmware: there is no runc in PATH; install it where"):
        containers.create(request, {})
    assert len(containers) == 0 and not containers.has("c1")
    request.options.CopyFrom(pack(Options(binary_name="/opt/other-runc")))
    with pytest.raises(NotFound, match="there is no /opt/other-runc in PATH"):
        containers.create(request, {})


def test_a_missing_shim_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match=r"no containerd-shim-runc-v2 in PATH; install it"):
        start_shim("k8s.io", "", "c1", str(tmp_path), {}, print, lambda: None)


def test_the_socket_of_a_shim_that_ends_slowly_is_removed(tmp_path):
    """It closes its connections some time before nobody serves its socket any more."""
    path = f"{tmp_path}/s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        shim = linux_shim.connect(ShimPlace(f"unix://{path}", "containerd.task.v3.Task"))
        served, _ = listener.accept()
        ending = threading.Thread(target=shim.end, args=("c",))
        ending.start()
        served.close()
        ending.join(0.1)
        assert ending.is_alive() and os.path.exists(path), "somebody serves it"
    ending.join()
    assert not os.path.exists(path)


def test_a_container_whose_shim_dies_amid_its_delete_is_deleted_without_it(tmp_path, monkeypatch):
    program = tmp_path / "containerd-shim-runc-v2"
    program.write_text("#!/bin/sh\nprintf done\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{tmp_path}/s")
    listener.listen()
    place = ShimPlace(f"unix://{tmp_path}/s", "containerd.task.v3.Task")
    (tmp_path / LINUX_MARK).write_text(json.dumps(place._asdict()))

    def die():
        with listener:
            listener.accept()[0].close()

    dying = threading.Thread(target=die)
    dying.start()
    assert delete_linux("k8s.io", "", "c1", str(tmp_path)) == b"done"
    dying.join()
