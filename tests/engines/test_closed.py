"""Proves that a running container shows nothing of the host, under every engine."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest

from tests.engines.command_line import ENGINES
from tests.engines.command_line import start as start_engine
from tests.engines.containerd import PAUSE
from tests.engines.images import Image, write_oci
from tests.engines.ours import ETC, RUNTIME, SAMPLES, SHIM
from tests.neighbour import SYS_PTRACE, files_in_mount_namespace_of, seen_by_a_neighbour

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# The image tries: its links lead to the host, if whoever follows them leaves the container.
HOSTS = "/proc/1/root"
LINKS = {"stolen": f"{HOSTS}/etc/passwd", "above": "../../../../../etc/passwd"}
FOLDERS = {"hole": f"{HOSTS}/tmp", "pit": "../../../../../tmp"}
TO_BE_THERE = {"new", "dev", "etc", "proc", "run", "sys", ".dockerenv"}


def image():
    with open(f"{SAMPLES}/hello.elf", "rb") as file:
        files = {"hello.elf": file.read(), "own": b"own"}
    return Image("localhost/hello:1", {**files, **LINKS, **FOLDERS}, ["/hello.elf"])


@contextmanager
def task_of_ctr(containerd):
    flags = ("-d", "--runtime", RUNTIME, "--annotation", "remoteproc.name=m3-0")
    containerd.ctr("run", *flags, image().name, "one")
    (line,) = containerd.ctr("task", "ls").stdout.splitlines()[1:]
    yield int(line.split()[1])
    containerd.ctr("task", "rm", "-f", "one")
    containerd.ctr("c", "rm", "one")


@contextmanager
def container_of_a_pod(containerd, logs):
    cri = containerd.cri
    pod = cri.run_pod("board", logs, "remoteproc", {"remoteproc.name": "m3-0"})
    container = cri.create(pod, "main", image().name)
    cri.start(container)
    (qemu,) = containerd.host.find("qemu-system")
    with open(f"/proc/{qemu}/status") as file:
        yield next(int(line.split()[1]) for line in file if line.startswith("PPid:"))
    cri.remove_pod(pod)


def check_processes(host, pid):
    """Neither the container's process, nor its shim, nor QEMU shows what is the host's."""
    names = set(image().files)
    assert names <= set(files_in_mount_namespace_of(pid)) <= names | TO_BE_THERE
    (qemu,) = host.find("qemu-system")
    shims = [found for found in host.find(SHIM) if found != pid]
    for process in (pid, qemu, *shims):
        assert seen_by_a_neighbour(process) == {}, host.processes()[process]
    seen = seen_by_a_neighbour(pid, SYS_PTRACE)
    for place in ("root", "cwd"):
        assert names <= set(seen[place]) <= names | TO_BE_THERE, place
    assert seen["environ"].strip("\0") == "", seen
    seen = seen_by_a_neighbour(qemu, SYS_PTRACE)
    assert seen["root/files"] == [], "what the links in its root directory led to is gone"
    assert not {"home", "root", "run", "tmp", "var", *names} & {*seen["root"], *seen["cwd"]}
    assert seen["environ"].strip("\0") == "", seen
    kinds = {path.partition(":")[0].partition(" ")[0] for path in seen["fd"]}
    assert kinds <= {"/dev/null", "pipe", "socket", "/memfd", "anon_inode"}, seen["fd"]


@pytest.mark.parametrize("kind", ENGINES)
def test_docker_and_podman(kind, start_docker, start_podman, runtime_path, tmp_path):
    engine = start_engine(kind, start_docker, start_podman, runtime_path, str(tmp_path))
    engine.load(image())
    engine.run("hello", "-d")
    (tmp_path / "in").write_text("from outside")
    engine("cp", f"{tmp_path}/in", "one:/new")
    engine("cp", "one:/new", f"{tmp_path}/out")
    assert (tmp_path / "out").read_text() == "from outside"
    engine("cp", "one:/own", f"{tmp_path}/own")
    assert (tmp_path / "own").read_text() == "own"
    for path in ("etc/passwd", *(f"{name}" for name in LINKS), f"{HOSTS[1:]}/etc/passwd"):
        follow = ("-L",) if kind.startswith("docker") else ()
        engine("cp", *follow, f"one:/{path}", f"{tmp_path}/stolen", check=False)
        assert not (tmp_path / "stolen").exists(), path
    host = engine.engine.host
    for folder in (*FOLDERS, f"{HOSTS[1:]}/tmp"):
        engine("cp", f"{tmp_path}/in", f"one:/{folder}/planted", check=False)
    for path in ("/new", "/tmp/planted", f"{host.base}/tmp/planted"):
        assert not os.path.lexists(path), path
    check_processes(host, engine.state()["Pid"])
    assert engine.state()["Status"] == "running"
    engine.remove()


@pytest.mark.parametrize("kind", ["ctr", "cri"])
def test_containerd(kind, start_containerd, probe, tmp_path):
    containerd = start_containerd("2", etc=ETC)
    namespace = "k8s.io" if kind == "cri" else "default"
    containerd.load(write_oci(image(), f"{tmp_path}/image.tar"), namespace)
    if kind == "cri":
        containerd.load(probe(PAUSE), namespace)
        running = container_of_a_pod(containerd, str(tmp_path))
    else:
        running = task_of_ctr(containerd)
    with running as pid:
        check_processes(containerd.host, pid)
