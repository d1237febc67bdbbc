"""Proves that many lifecycles, one right after the other or side by side, leave nothing behind."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest


def fine(outcome):
    assert outcome.code == 0, outcome
    return outcome


def lifecycle(bench, bundle, container):
    """Create and start at once, as engines do; then kill and delete."""
    fine(bench.command("create", "--bundle", bundle, container))
    fine(bench.command("start", container))
    assert bench.processor(f"m3-{container[-1]}")["owner"] == container
    fine(bench.command("kill", container, "KILL"))
    fine(bench.command("delete", container))


def many(bench, bundle, worker, count):
    for number in range(count):
        lifecycle(bench, bundle, f"c{number}-{worker}")


@pytest.mark.parametrize(
    "count", [2, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_each_of_many_lifecycles_runs_and_leaves_nothing(bench, bundle, count):
    many(bench, bundle, 0, count)
    assert bench.remains() == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_lifecycles_side_by_side_do_not_disturb_each_other(bench):
    names = [f"m3-{number}" for number in range(4)]
    bench.board(names)
    bundles = [bench.bundle(bench.sample("prints and runs on"), name) for name in names]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: many(bench, bundles[number], number, 12), range(4)))
    assert bench.remains() == []


def test_a_supervisor_holds_few_descriptors_and_none_of_its_callers(bench, bundle):
    """What the caller left open is not ours to keep: a lock or pipe of its might never end."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        fine(bench.command("create", "--bundle", bundle, "pump", pass_fds=(writer,)))
        fine(bench.command("start", "pump"))
    finally:
        os.close(writer)
    with open(reader, "rb") as pipe:
        assert pipe.read() == b""  # nobody else holds the other end
    pid = bench.state("pump")["pid"]
    held = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    assert len(held) < 24, held
    assert set(bench.processes()) > {pid}


def test_starts_and_stops_leave_no_descriptors_in_a_supervisor(bench, bundle):
    """A start that is refused again and again: the supervisor lives on, and must not grow."""
    bench.board(["m3-0"], {"m3-0": {"start-error": "EIO"}})
    fine(bench.command("create", "--bundle", bundle, "pump"))
    pid = bench.state("pump")["pid"]
    counts = []
    for _ in range(6):
        assert "EIO" in bench.command("start", "pump").refusal
        counts.append(len(os.listdir(f"/proc/{pid}/fd")))
    assert counts[-1] == counts[0], counts
