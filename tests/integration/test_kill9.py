"""Proves that after signal 9 to any process at any moment the next command cleans up all of it.

The tests kill commands after times that are spread over a command's whole duration. The same
command again, or a delete, must then succeed.
"""

import contextlib
import os
import random
import signal
import subprocess

import pytest

from features.backends.processes import WatchedProcess, children
from features.steps.world import succeed
from tests.moments import moments
from tests.waiting import wait_until

RANDOM = random.Random(9)  # the seed makes a failure repeatable

many_moments = pytest.mark.parametrize(
    "count", [3, pytest.param(24, marks=pytest.mark.slow)], ids=["few", "many"]
)


all_moments = pytest.mark.parametrize("count", [pytest.param(24, marks=pytest.mark.slow)])


def run(backend, bundle, container):
    succeed(backend.command("create", "--bundle", bundle, container))
    succeed(backend.command("start", container))
    return backend.state(container)["pid"]


def nothing():
    """Needs no preparation, or leaves nothing to clean up."""


def usual_seconds(backend, words, before, after):
    """Return how long the command takes: the middle one of three times, lest the machine stalls."""
    times = []
    for _ in range(3):
        before()
        times.append(succeed(backend.command(*words)).seconds)
        after()
    return sorted(times)[1]


def killed_after(backend, seconds, *words):
    """Run a command, send signal 9 after that time; return whether the command still ran."""
    with open(f"{backend.place}/killed.out", "ab") as out:
        process = subprocess.Popen(
            backend.words(*words),
            env=backend.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    return process.wait(10) == -signal.SIGKILL


def test_a_processor_stops_with_its_killed_supervisor(backend, bundle):
    pid = run(backend, bundle, "pump")
    (simulator,) = children(pid)
    with WatchedProcess(pid) as supervisor, WatchedProcess(simulator) as qemu:
        supervisor.kill()
        assert supervisor.wait(5) and qemu.wait(5)
    state = backend.state("pump")
    assert state["status"] == "stopped"
    assert state["annotations"]["remoteproc.exit-status"] == "137"
    assert backend.processor("m3-0")["state"] == "offline"
    succeed(backend.command("delete", "pump"))
    assert backend.remains() == []


def test_any_command_cleans_up_after_a_killed_supervisor(backend, bundle):
    """The next command does so on this machine, even if it has another state root."""
    with WatchedProcess(run(backend, bundle, "pump")) as supervisor:
        supervisor.kill()
        assert supervisor.wait(5)
    owners = f"{backend.run_directory}/owners"
    assert os.listdir(owners)
    root, backend.root = backend.root, f"{backend.place}/other-state"
    succeed(backend.command("processors"))
    backend.root = root
    assert not os.path.exists(owners) or os.listdir(owners) == []


def test_a_killed_supervisor_of_a_created_container(backend, bundle):
    succeed(backend.command("create", "--bundle", bundle, "pump"))
    with WatchedProcess(backend.state("pump")["pid"]) as supervisor:
        supervisor.kill()
        assert supervisor.wait(5)
    outcome = backend.command("start", "pump")
    assert "cannot start container pump: it is stopped" in outcome.refusal
    succeed(backend.command("delete", "pump"))


def test_a_killed_simulator_is_a_crash_whose_reason_names_the_simulator(backend, bundle):
    pid = run(backend, bundle, "pump")
    with WatchedProcess(pid) as supervisor:
        os.kill(children(pid)[0], signal.SIGKILL)
        assert supervisor.wait(5)
    facts = backend.state("pump")["annotations"]
    assert facts["remoteproc.exit-status"] == "139"
    reason = "m3-0: crashed: the simulator (QEMU) was killed by signal 9"
    assert facts["remoteproc.exit-reason"] == reason
    assert reason in backend.output("pump")[1]


@many_moments
def test_create_killed_at_any_moment_can_be_repeated(backend, bundle, count):
    words = ("create", "--bundle", bundle, "pump")

    def delete():
        succeed(backend.command("delete", "--force", "pump"))

    killed = 0
    for seconds in moments(usual_seconds(backend, words, nothing, delete), count, RANDOM):
        killed += killed_after(backend, seconds, *words)
        # No supervisor continues without a container that `list` shows.
        wait_until(lambda: not backend.processes() or os.path.exists(f"{backend.root}/pump"))
        outcome = backend.command(*words)
        if outcome.code:  # the container was complete; engines delete it then, and try again
            assert "container pump exists" in outcome.refusal
            delete()
            succeed(backend.command(*words))
        assert backend.state("pump")["status"] == "created"
        delete()
        wait_until(lambda: not backend.processes())
        assert os.listdir(backend.root) == []
    assert killed >= count // 4
    with open(f"{backend.place}/killed.out") as file:
        assert "Traceback" not in file.read(), "of supervisors whose creator has died"


@many_moments
def test_start_killed_at_any_moment_has_happened_or_has_not(backend, bundle, count):
    def create():
        succeed(backend.command("create", "--bundle", bundle, "pump"))

    def delete():
        succeed(backend.command("delete", "--force", "pump"))

    killed = 0
    for seconds in moments(
        usual_seconds(backend, ("start", "pump"), create, delete), count, RANDOM
    ):
        create()
        killed += killed_after(backend, seconds, "start", "pump")
        outcome = backend.command("start", "pump")
        assert outcome.code == 0 or "it is running" in outcome.refusal
        assert backend.state("pump")["status"] == "running"
        assert backend.processor("m3-0")["owner"] == "pump"
        delete()
    assert killed >= count // 4


@all_moments
@pytest.mark.parametrize("force", [False, True], ids=["stopped", "running"])
def test_delete_killed_at_any_moment_can_be_repeated(backend, bundle, force, count):
    words = ("delete", "--force", "pump") if force else ("delete", "pump")

    def ready():
        run(backend, bundle, "pump")
        if not force:
            succeed(backend.command("kill", "pump"))

    killed = 0
    for seconds in moments(usual_seconds(backend, words, ready, nothing), count, RANDOM):
        ready()
        killed += killed_after(backend, seconds, *words)
        outcome = backend.command(*words)
        assert outcome.code == 0 or "container pump does not exist" in outcome.refusal
        assert backend.remains() == []
    assert killed >= count // 4


@all_moments
def test_kill_killed_at_any_moment_can_be_repeated(backend, bundle, count):
    def ready():
        run(backend, bundle, "pump")

    def delete():
        succeed(backend.command("delete", "pump"))

    for seconds in moments(usual_seconds(backend, ("kill", "pump"), ready, delete), count, RANDOM):
        ready()
        killed_after(backend, seconds, "kill", "pump")
        outcome = backend.command("kill", "pump")
        assert outcome.code == 0 or "it is stopped" in outcome.refusal
        assert backend.wait_for_end("pump")["annotations"]["remoteproc.exit-status"] == "0"
        delete()
