"""Proves that each run is counted once, whatever the looks show of it."""

from __future__ import annotations

from domain.container import Exit, Owner
from domain.run_counts import Run, RunCounts

ONE, TWO = Owner("c1", "/s"), Owner("c2", "/s")
CRASH = Exit(139, 20.0, "crashed: watchdog")


def counted(*looks):
    counts = RunCounts()
    for look in ({}, *looks):
        counts.look({"remoteproc0": look} if look else {})
    found = counts.by_device["remoteproc0"]
    return found.starts, found.crashes, found.ends, found.last_start


def test_a_run_that_is_seen_often_is_one():
    run = Run(ONE, 10.0, None)
    assert counted(run, run, run._replace(exit=CRASH), run._replace(exit=CRASH)) == (
        1,
        {"watchdog": 1},
        0,
        10.0,
    )


def test_a_restart_of_the_same_container_is_another_run():
    again = Run(ONE, 30.0, None)
    runs = (Run(ONE, 10.0, CRASH), again, again._replace(exit=CRASH))
    assert counted(*runs) == (2, {"watchdog": 2}, 0, 30.0)


def test_kinds_and_ends():
    runs = (Run(ONE, 1.0, Exit(139, 2.0)), Run(TWO, 3.0, Exit(0, 4.0)), Run(ONE, 5.0, CRASH))
    assert counted(*runs) == (3, {"unknown": 1, "watchdog": 1}, 1, 5.0)


def test_what_never_started_has_no_end():
    assert counted(Run(ONE, None, None), Run(ONE, None, Exit(137, 1.0))) == (0, {}, 0, None)


def test_what_ran_before_is_no_start_and_its_end_counts():
    counts = RunCounts()
    counts.look({"remoteproc0": Run(ONE, 10.0, None)})
    counts.look({"remoteproc0": Run(ONE, 10.0, CRASH)})
    found = counts.by_device["remoteproc0"]
    assert (found.starts, found.crashes, found.last_start) == (0, {"watchdog": 1}, 10.0)
