"""Proves that a running container shows nothing of the host, under every engine."""

from __future__ import annotations

import os
import re
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
# Where the supervising thread still works: in the container's own directory, where the runtime
# notes who uses which processor, and in the container's control groups.
PLACE = re.compile(r"/(owners|boards|simulator-users)$|/[0-9a-f]{64}$|/one$|^/sys/fs/cgroup/")
VIEW = {"run", "sys", "tmp", "var", "work", "root"}  # above the places; these differ by host
LIBRARIES = (".so", "python", "gconv-modules.cache")  # the C library maps the last
MAPPED = ("[", "/usr/lib/", "/memfd:", "anon_inode:", "/dev/zero", "/SYSV")
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
    check_threads(seen, str(pid), names)
    assert_ours(seen["maps"])
    seen = seen_by_a_neighbour(qemu, SYS_PTRACE)
    assert seen["root/files"] == [], "what the links in its root directory led to is gone"
    assert not {"home", "root", "run", "tmp", "var", *names} & {*seen["root"], *seen["cwd"]}
    assert seen["environ"].strip("\0") == "", seen
    kinds = {path.partition(":")[0].partition(" ")[0] for path in seen["fd"]}
    # "/null" is /dev/null of a mount namespace that nobody is in any more.
    assert kinds <= {"/dev/null", "/null", "pipe", "socket", "/memfd", "anon_inode"}, seen["fd"]


def check_threads(seen, main, names):
    """Each thread finds the container's files, or the few of the runtime's that it still uses."""
    assert len(seen["task"]) == 2
    for thread, shown in seen["task"].items():
        for place in ("root", "cwd"):
            if thread == main:
                tops = {path.split("/")[1] for path in shown[place]}
                assert names <= tops <= names | TO_BE_THERE, place
            else:
                check_view(shown["points"], shown[place])
    ((directory, top),) = seen["above"].items()
    assert directory.endswith("/" + directory.split("/")[-1]) and directory in "".join(
        point for shown in seen["task"].values() for point in shown["points"]
    )
    assert set(top) <= VIEW, top


def check_view(points, paths):
    """Only places of the runtime's own are there, and directories that lead to them."""
    places = [point for point in points if point != "/"]
    assert len(places) >= 3 and all(PLACE.search(place) for place in places), places
    assert {path.split("/")[1] for path in paths} <= VIEW, paths
    for path in paths:
        leads_there = path.endswith("/") and any(f"{place}/".startswith(path) for place in places)
        in_a_place = any(path.startswith(f"{place}/") for place in places)
        assert leads_there or in_a_place or path == "/sys/", path


def assert_ours(maps):
    """Only the interpreter, its libraries, and what no file is behind is mapped."""
    for line in maps.splitlines():
        path = line[73:].strip()
        assert not path or path.startswith(MAPPED) or any(part in path for part in LIBRARIES), line


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
