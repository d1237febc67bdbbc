"""Proves that the control group's limits are told: what is used, what was killed, what is small."""

import json
import os

import pytest

from tests.engines.groups_of import run_out_of_memory
from tests.waiting import wait_until

GROUPS = "/sys/fs/cgroup"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="control groups need root"),
    pytest.mark.skipif(
        not os.path.isdir(f"{GROUPS}/memory"), reason="needs control groups of version 1"
    ),
]
MIB = 1 << 20


@pytest.fixture
def limited(runtime):
    def bundle(**resources):
        name = f"/rproc-memory-{os.getpid()}"
        runtime.bundle(linux={"cgroupsPath": name, "resources": resources})

    return bundle


def test_events_show_what_the_control_group_uses(runtime, limited):
    limited(memory={"limit": 256 * MIB}, pids={"limit": 50})
    runtime.start()
    data = json.loads(runtime.run("events", "--stats", "c1").stdout)["data"]
    memory = data["memory"]["usage"]
    assert memory["limit"] == 256 * MIB and MIB < memory["usage"] <= memory["max"] < memory["limit"]
    assert data["pids"]["limit"] == 50 and data["pids"]["current"] >= 2
    assert data["cpu"]["usage"]["total"] > 0 and data["memory"]["raw"]["rss"] > 0


@pytest.mark.parametrize("victim", [0, 1], ids=["supervisor", "simulator"])
def test_what_the_kernel_killed_for_want_of_memory_is_no_crash(runtime, limited, victim):
    limited(memory={"limit": 128 * MIB})
    runtime.start()
    run_out_of_memory(json.loads(runtime.run("ps", "--format", "json", "c1").stdout)[victim])
    wait_until(lambda: runtime.state()["status"] == "stopped")
    told = runtime.state()["annotations"]
    assert told["remoteproc.exit-status"] == "137"
    assert "out of memory, the container's limit is 128 MiB" in told["remoteproc.exit-reason"]


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        ({"memory": {"limit": 2 * MIB}}, "out of memory, the container's limit is 2 MiB"),
        ({"pids": {"limit": 1}}, "the container's limit of 1 processes is too small"),
    ],
)
def test_a_limit_that_leaves_no_room_for_a_simulator_is_named(runtime, limited, resources, says):
    limited(**resources)
    failed = runtime.create(check=False)
    if failed.returncode == 0:
        failed = runtime.run("start", "c1", check=False)
    assert failed.returncode == 1 and says in failed.stderr, failed
    assert len(failed.stderr.splitlines()) == 1
