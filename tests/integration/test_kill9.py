"""Proves that kill -9 of anybody at any moment leaves nothing that the next command cannot clear.

Commands are killed after times spread over all they take; whatever was under way, the same
command again, or a delete, comes to its end.
"""

import contextlib
import os
import random
import signal
import subprocess

import pytest

from features.backends.processes import WatchedProcess, children
from tests.waiting import wait_until

RANDOM = random.Random(9)  # the seed makes a failure repeatable

many_moments = pytest.mark.parametrize(
    "count", [3, pytest.param(24, marks=pytest.mark.slow)], ids=["few", "many"]
)


all_moments = pytest.mark.parametrize("count", [pytest.param(24, marks=pytest.mark.slow)])


def fine(outcome):
    assert outcome.code == 0, outcome
    return outcome


def run(bench, bundle, container):
    fine(bench.command("create", "--bundle", bundle, container))
    fine(bench.command("start", container))
    return bench.state(container)["pid"]


def killed_after(bench, seconds, *words):
    """Run a command and kill it outright after that time; tell whether it was still there."""
    with open(f"{bench.place}/killed.out", "ab") as out:
        process = subprocess.Popen(
            bench.words(*words),
            env=bench.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    return process.wait(10) == -signal.SIGKILL


def moments(longest, count):
    """Times from 0 to that one, one in each of equal parts, in no order."""
    part = longest / count
    times = [(number + RANDOM.random()) * part for number in range(count)]
    RANDOM.shuffle(times)
    return times


def supervisors(bench):
    return bench.processes()


def test_a_killed_supervisor_takes_its_processor_along(bench, bundle):
    pid = run(bench, bundle, "pump")
    (simulator,) = children(pid)
    with WatchedProcess(pid) as supervisor, WatchedProcess(simulator) as qemu:
        supervisor.kill()
        assert supervisor.wait(5) and qemu.wait(5)
    state = bench.state("pump")
    assert state["status"] == "stopped"
    assert state["annotations"]["remoteproc.exit-status"] == "137"
    assert bench.processor("m3-0")["state"] == "offline"
    fine(bench.command("delete", "pump"))
    assert bench.remains() == []


def test_any_command_clears_up_after_a_killed_supervisor(bench, bundle):
    """The very next command of anybody on this machine, under another state root, even."""
    with WatchedProcess(run(bench, bundle, "pump")) as supervisor:
        supervisor.kill()
        assert supervisor.wait(5)
    owners = f"{bench.run_directory}/owners"
    assert os.listdir(owners)
    root, bench.root = bench.root, f"{bench.place}/other-state"
    fine(bench.command("processors"))
    bench.root = root
    assert not os.path.exists(owners) or os.listdir(owners) == []


def test_a_killed_supervisor_of_a_created_container(bench, bundle):
    fine(bench.command("create", "--bundle", bundle, "pump"))
    with WatchedProcess(bench.state("pump")["pid"]) as supervisor:
        supervisor.kill()
        assert supervisor.wait(5)
    outcome = bench.command("start", "pump")
    assert "cannot start container pump: it is stopped" in outcome.refusal
    fine(bench.command("delete", "pump"))


def test_a_killed_simulator_is_a_crash_and_said_to_be_the_simulators(bench, bundle):
    pid = run(bench, bundle, "pump")
    with WatchedProcess(pid) as supervisor:
        os.kill(children(pid)[0], signal.SIGKILL)
        assert supervisor.wait(5)
    facts = bench.state("pump")["annotations"]
    assert facts["remoteproc.exit-status"] == "139"
    reason = "m3-0: crashed: the simulator (QEMU) was killed by signal 9"
    assert facts["remoteproc.exit-reason"] == reason
    assert reason in bench.output("pump")[1]


@many_moments
def test_create_killed_at_any_moment_can_be_repeated(bench, bundle, count):
    longest = fine(bench.command("create", "--bundle", bundle, "pump")).seconds
    fine(bench.command("delete", "--force", "pump"))
    killed = 0
    for seconds in moments(longest, count):
        killed += killed_after(bench, seconds, "create", "--bundle", bundle, "pump")
        # No supervisor lives on without a container that can be seen.
        wait_until(lambda: not supervisors(bench) or os.path.exists(f"{bench.root}/pump"))
        outcome = bench.command("create", "--bundle", bundle, "pump")
        if outcome.code:  # it was complete already: engines delete then, and try again
            assert "container pump exists" in outcome.refusal
            fine(bench.command("delete", "--force", "pump"))
            fine(bench.command("create", "--bundle", bundle, "pump"))
        assert bench.state("pump")["status"] == "created"
        fine(bench.command("delete", "--force", "pump"))
        wait_until(lambda: not supervisors(bench))
        assert os.listdir(bench.root) == []
    assert killed >= count // 4


@many_moments
def test_start_killed_at_any_moment_has_happened_or_has_not(bench, bundle, count):
    fine(bench.command("create", "--bundle", bundle, "pump"))
    longest = fine(bench.command("start", "pump")).seconds
    fine(bench.command("delete", "--force", "pump"))
    killed = 0
    for seconds in moments(longest, count):
        fine(bench.command("create", "--bundle", bundle, "pump"))
        killed += killed_after(bench, seconds, "start", "pump")
        outcome = bench.command("start", "pump")
        assert outcome.code == 0 or "it is running" in outcome.refusal
        assert bench.state("pump")["status"] == "running"
        assert bench.processor("m3-0")["owner"] == "pump"
        fine(bench.command("delete", "--force", "pump"))
    assert killed >= count // 4


@all_moments
@pytest.mark.parametrize("force", [False, True], ids=["stopped", "running"])
def test_delete_killed_at_any_moment_converges(bench, bundle, force, count):
    words = ("delete", "--force", "pump") if force else ("delete", "pump")

    def ready():
        run(bench, bundle, "pump")
        if not force:
            fine(bench.command("kill", "pump"))

    ready()
    longest = fine(bench.command(*words)).seconds
    killed = 0
    for seconds in moments(longest, count):
        ready()
        killed += killed_after(bench, seconds, *words)
        outcome = bench.command(*words)
        assert outcome.code == 0 or "container pump does not exist" in outcome.refusal
        assert bench.remains() == []
    assert killed >= count // 4


@all_moments
def test_kill_killed_at_any_moment_can_be_repeated(bench, bundle, count):
    run(bench, bundle, "pump")
    longest = fine(bench.command("kill", "pump")).seconds
    fine(bench.command("delete", "pump"))
    for seconds in moments(longest, count):
        run(bench, bundle, "pump")
        killed_after(bench, seconds, "kill", "pump")
        outcome = bench.command("kill", "pump")
        assert outcome.code == 0 or "it is stopped" in outcome.refusal
        assert bench.wait_for_end("pump")["annotations"]["remoteproc.exit-status"] == "0"
        fine(bench.command("delete", "pump"))
