"""Proves what a supervisor may still do: by what the kernel says of it, and of QEMU."""

from __future__ import annotations

import os

import pytest

from features.backends.processes import children
from tests.integration.oci import Runtime
from tests.neighbour import seen_by_a_neighbour
from tests.simulator import Simulator
from tests.waiting import wait_until

CAPABILITIES = {"DAC_OVERRIDE": 1, "SYSLOG": 34}
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
FIRST = 1879048192

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has rights to give up")


def rights_of(pid):
    """Return what the kernel says of a process, and print it for people."""
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    with open(f"/proc/{pid}/environ", "rb") as file:
        environment = file.read().strip(b"\0")
    found = {
        "users": status["Uid"].split(),
        "groups": status["Groups"].split(),
        **{kind: int(status[kind], 16) for kind in SETS},
        "no_new_privs": status["NoNewPrivs"] == "1",
        "seccomp": status["Seccomp"] == "2",
        "environment": environment,
        "namespaces": _own_namespaces(pid),
        "root": sorted(os.listdir(f"/proc/{pid}/root")),
        "files": {_kind(os.readlink(entry.path)) for entry in os.scandir(f"/proc/{pid}/fd")},
    }
    print(status["Name"], found)
    return found


def _own_namespaces(pid):
    """Return the kinds of which the process has another namespace than this one."""
    kinds = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
    return {
        kind
        for kind in kinds
        if os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
    }


def _kind(link):
    return link.partition(":")[0] if ":" in link else os.path.basename(link)


def mask(*names):
    return sum(1 << CAPABILITIES[name] for name in names)


def qemu_of(pid):
    (child,) = children(pid)
    return child


def test_on_a_simulated_board(runtime):
    runtime.bundle("hello")
    runtime.create(env={**os.environ, "SECRET": "of the caller"})
    pid = runtime.state()["pid"]
    before = rights_of(pid)
    assert (before["users"], before["groups"]) == (["0"] * 4, [])
    assert (before["no_new_privs"], before["seccomp"]) == (True, True)
    assert before["environment"] == b""
    assert before["CapInh"] == before["CapAmb"] == 0
    assert 0 < before["CapEff"] == before["CapPrm"] == before["CapBnd"]
    assert before["CapEff"].bit_count() == 8, "what it takes to confine QEMU"
    assert seen_by_a_neighbour(pid) == {}
    runtime.run("start", "c1")
    runtime.until("tick")
    for shown in ("root", "cwd"):
        assert os.listdir(f"/proc/{pid}/{shown}") == ["firmware.elf"], shown
    with open(f"/proc/{pid}/mountinfo") as file:
        assert [line.split()[4] for line in file] == ["/"], "nothing but the container's files"
    after, qemu = rights_of(pid), rights_of(qemu_of(pid))
    assert [after[kind] for kind in SETS] == [0] * len(SETS)
    assert (after["groups"], after["no_new_privs"], after["seccomp"]) == ([], True, True)
    assert after["users"] == [qemu["users"][0], "0", "0", "0"], "it may end QEMU, by the real user"
    assert len(set(qemu["users"])) == 1
    assert int(qemu["users"][0]) >= FIRST
    assert [qemu[kind] for kind in SETS] == [0] * len(SETS)
    assert (qemu["groups"], qemu["no_new_privs"], qemu["seccomp"]) == ([], True, True)
    assert qemu["environment"] == b""
    assert qemu["files"] <= {"null", "pipe", "socket", "/memfd", "anon_inode"}
    assert (before["namespaces"], after["namespaces"]) == (set(), {"mnt"})
    assert qemu["namespaces"] == {"ipc", "mnt", "net", "pid"}
    assert {"home", "tmp", "var", "firmware.elf"}.isdisjoint(qemu["root"])
    records = {"c1", "exit.json", "log", "remoteproc0", "sim-", qemu["users"][0]}
    unnamed = {"null", "pipe", "socket", "/memfd", "anon_inode"}
    files = {"sim-" if "/owners/sim-" in name else name for name in after["files"]}
    # What the test itself has given as stdout and stderr has been removed already.
    assert {name for name in files if "(deleted)" not in name} <= records | unnamed
    assert seen_by_a_neighbour(pid) == {}
    runtime.run("pause", "c1")
    runtime.run("resume", "c1")
    runtime.run("kill", "c1", "TERM")
    wait_until(lambda: runtime.state()["status"] == "stopped")
    assert runtime.state()["annotations"]["remoteproc.exit-status"] == "0"


def test_what_a_supervisor_may_not_even_try(runtime):
    """A processor that executes nothing needs no QEMU: its supervisor gives up all the same."""
    runtime.bundle("hello", annotations={"remoteproc.name": "idle-0"})
    with open(f"{runtime.place}/config.yaml", "w") as file:
        file.write("backend: sim\nboard: idle\nrun-directory: run\n")
    pid = runtime.start()
    found = rights_of(pid)
    assert found["users"] == ["0"] * 4
    assert [found[kind] for kind in SETS] == [0] * len(SETS)
    assert found["seccomp"]
    assert seen_by_a_neighbour(pid) == {}, "though it has more capabilities than the supervisor"


@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="needs /dev/fuse")
def test_on_a_kernels_tree(tmp_path):
    with Simulator() as simulator:
        runtime = Runtime(tmp_path)
        with open(f"{runtime.place}/config.yaml", "w") as file:
            file.write(f"tree: {simulator.root}\nrun-directory: run\n")
        runtime.bundle("hello", annotations={"remoteproc.name": "m4"})
        try:
            pid = runtime.start()
            found = rights_of(pid)
            runtime.run("kill", "c1", "TERM")
            wait_until(lambda: runtime.state()["status"] == "stopped")
            assert runtime.state()["annotations"]["remoteproc.exit-status"] == "0"
        finally:
            runtime.delete()
    kept = mask("DAC_OVERRIDE", "SYSLOG")
    assert [found[kind] for kind in SETS] == [0, kept, kept, kept, 0]
    assert (found["users"], found["groups"]) == (["0"] * 4, [])
    assert (found["no_new_privs"], found["seccomp"]) == (True, True)
    assert found["environment"] == b""
    assert runtime.left() == []
