"""Proves that `update` changes the control group of a container, all that is asked or nothing."""

import json
import os

import pytest

GROUPS = "/sys/fs/cgroup"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="control groups need root"),
    pytest.mark.skipif(
        not os.path.isdir(f"{GROUPS}/memory"), reason="needs control groups of version 1"
    ),
]
FILES = {
    "memory": "memory/{}/memory.limit_in_bytes",
    "swap": "memory/{}/memory.memsw.limit_in_bytes",
    "pids": "pids/{}/pids.max",
    "shares": "cpu/{}/cpu.shares",
    "quota": "cpu/{}/cpu.cfs_quota_us",
    "cpus": "cpuset/{}/cpuset.cpus",
}
MIB = 1 << 20


@pytest.fixture
def group(runtime):
    """A running container in a group of 256 MiB, and the values of its limits."""
    name = f"rproc-update-{os.getpid()}"
    limits = {"memory": {"limit": 256 * MIB, "swap": 256 * MIB}, "pids": {"limit": 50}}
    runtime.bundle(linux={"cgroupsPath": f"/{name}", "resources": limits})
    runtime.start()

    def limit(kind):
        with open(f"{GROUPS}/{FILES[kind].format(name)}") as file:
            return file.read().strip()

    return limit


def test_the_options_that_runc_has(runtime, group):
    more = ["--memory", "1g", "--memory-swap", "2GiB", "--pids-limit", "60", "--cpu-shares=512"]
    more += ["--cpu-quota", "50000", "--cpuset-cpus", "0", "--blkio-weight", "10"]
    runtime.run("update", *more, "c1")
    assert (group("memory"), group("swap")) == (str(1024 * MIB), str(2048 * MIB))
    assert (group("pids"), group("shares"), group("cpus")) == ("60", "512", "0")
    assert group("quota") == "50000"
    runtime.run("update", "c1", "--memory", "128m", "--memory-swap", "128m")  # and back again
    assert (group("memory"), group("swap"), group("pids")) == (str(128 * MIB),) * 2 + ("60",)
    runtime.run("update", "c1", "--memory", "-1")
    assert int(group("swap")) > 1 << 60
    assert runtime.state()["status"] == "running"


def test_a_file_as_podman_gives_it_and_standard_input(runtime, group, tmp_path):
    path = tmp_path / "resources.json"
    path.write_text(json.dumps({"pids": {"limit": 70}, "memory": {"limit": 0}, "unified": {}}))
    runtime.run("update", "--resources", str(path), "c1")
    assert (group("pids"), group("memory")) == ("70", str(256 * MIB))
    path.write_text(json.dumps({"cpu": {"cpus": "0"}}))
    with open(path) as file:
        runtime.run("update", "-r", "-", "c1", stdin=file)
    assert group("cpus") == "0"


def test_what_the_kernel_refuses_changes_nothing(runtime, group):
    words = ["--memory", "200m", "--pids-limit", "60", "--cpuset-cpus", "4096"]
    failed = runtime.run("update", *words, "c1", check=False)
    assert failed.returncode == 1 and "cannot set cpu.cpus to 4096" in failed.stderr, failed
    assert len(failed.stderr.splitlines()) == 1
    assert (group("memory"), group("pids")) == (str(256 * MIB), "50")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--memory", "much", "c1"], 2, "'much' is no size"),
        (["--resources", "/no/such", "c1"], 1, "/no/such does not exist"),
        (["c2"], 1, "container c2 does not exist"),
        (["--pids-limit", "5", "c1"], 1, "it is stopped"),
    ],
)
def test_an_update_that_makes_no_sense(runtime, words, code, says):
    runtime.bundle()
    runtime.start()
    runtime.run("kill", "c1")
    failed = runtime.run("update", *words, check=False)
    assert failed.returncode == code and says in failed.stderr, failed


def test_a_container_without_a_control_group_has_no_limits(runtime):
    runtime.bundle()
    runtime.start()
    runtime.run("update", "c1")  # nothing is asked for
    failed = runtime.run("update", "--memory", "64m", "c1", check=False)
    assert failed.returncode == 1 and "no control group of its own" in failed.stderr, failed
