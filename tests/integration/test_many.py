"""Proves that many lifecycles, one right after the other or side by side, leave nothing behind."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from features.steps.world import succeed
from tests.waiting import wait_until


def lifecycle(backend, bundle, container):
    """Create and start at once, as engines do; then kill and delete."""
    succeed(backend.command("create", "--bundle", bundle, container))
    succeed(backend.command("start", container))
    assert backend.processor(f"m3-{container[-1]}")["owner"] == container
    succeed(backend.command("kill", container, "KILL"))
    succeed(backend.command("delete", container))


def many(backend, bundle, worker, count):
    for number in range(count):
        lifecycle(backend, bundle, f"c{number}-{worker}")


@pytest.mark.parametrize(
    "count", [2, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_each_of_many_lifecycles_runs_and_leaves_nothing(backend, bundle, count):
    many(backend, bundle, 0, count)
    assert backend.remains() == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_lifecycles_side_by_side_do_not_disturb_each_other(backend):
    names = [f"m3-{number}" for number in range(4)]
    backend.board(names)
    bundles = [backend.bundle(backend.sample("prints and runs on"), name) for name in names]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: many(backend, bundles[number], number, 12), range(4)))
    assert backend.remains() == []


def test_a_supervisor_holds_few_descriptors_and_none_of_its_callers(backend, bundle):
    """A supervisor that held a caller's descriptor would keep a lock or pipe of the caller open."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        succeed(backend.command("create", "--bundle", bundle, "pump", pass_fds=(writer,)))
        succeed(backend.command("start", "pump"))
    finally:
        os.close(writer)
    with open(reader, "rb") as pipe:
        assert pipe.read() == b""  # nobody else holds the other end
    pid = backend.state("pump")["pid"]
    held = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    assert len(held) < 24, held
    assert set(backend.processes()) > {pid}


def test_starts_and_stops_leave_no_descriptors_in_a_supervisor(backend, bundle):
    """The supervisor survives each refused start, and must not keep a descriptor of it."""
    backend.board(["m3-0"], {"m3-0": {"start-error": "EIO"}})
    succeed(backend.command("create", "--bundle", bundle, "pump"))
    descriptors = f"/proc/{backend.state('pump')['pid']}/fd"
    counts = []
    for _ in range(6):
        assert "EIO" in backend.command("start", "pump").refusal
        counts.append(len(os.listdir(descriptors)))
    # The connection of the last command may be open for a moment.
    wait_until(lambda: len(os.listdir(descriptors)) <= counts[0])
