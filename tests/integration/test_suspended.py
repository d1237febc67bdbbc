"""Proves that no command waits for ever for a supervisor or another command that is suspended."""

import os
import signal
import subprocess

import pytest

from features.steps.world import succeed
from tests.waiting import wait_until


@pytest.fixture
def supervisor(backend, bundle):
    """The supervisor of a container that is created and not started."""
    succeed(backend.command("create", "--bundle", bundle, "pump"))
    return backend.state("pump")["pid"]


def in_background(backend, *words):
    return subprocess.Popen(
        backend.words(*words),
        env=backend.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def is_waiting(pid):
    """Whether a process waits for the supervisor's answer."""
    with open(f"/proc/{pid}/wchan") as file:
        return "skb" in (found := file.read()) or "unix" in found or "poll" in found


@pytest.mark.parametrize("started", [False, True])
def test_a_container_of_a_suspended_supervisor_can_be_deleted(backend, supervisor, started):
    if started:
        succeed(backend.command("start", "pump"))
    os.kill(supervisor, signal.SIGSTOP)
    outcome = succeed(backend.command("delete", "--force", "pump", timeout=20))
    assert outcome.seconds < 8
    assert backend.processor("m3-0")["state"] == "offline"


def test_even_while_a_start_waits_for_that_supervisor(backend, supervisor):
    os.kill(supervisor, signal.SIGSTOP)
    start = in_background(backend, "start", "pump")
    wait_until(lambda: is_waiting(start.pid))
    succeed(backend.command("delete", "--force", "pump", timeout=20))
    _, error = start.communicate(timeout=20)
    assert start.returncode == 1
    assert error.decode().splitlines() == [
        "remoteproc-runtime: container pump has ended: its supervisor is gone"
    ]


def test_a_start_that_has_given_up_is_not_done_later(backend, supervisor):
    os.kill(supervisor, signal.SIGSTOP)
    start = in_background(backend, "start", "pump")
    wait_until(lambda: is_waiting(start.pid))
    start.kill()
    start.communicate()
    os.kill(supervisor, signal.SIGCONT)
    succeed(backend.command("kill", "pump", "HUP"))  # the supervisor notes it in the log
    wait_until(lambda: "signal HUP ignored" in backend.command("logs", "pump").err)
    assert backend.state("pump")["status"] == "created"
    succeed(backend.command("start", "pump"))
    assert backend.state("pump")["status"] == "running"


def test_a_full_queue_of_commands_is_not_the_end_of_the_container(backend, supervisor):
    os.kill(supervisor, signal.SIGSTOP)
    waiting = [in_background(backend, "start", "pump")]
    wait_until(lambda: is_waiting(waiting[0].pid))
    waiting += [in_background(backend, "kill", "pump") for _ in range(20)]
    try:
        ended = [process.communicate(timeout=40)[1].decode() for process in waiting[1:]]
    finally:
        for process in waiting:
            process.kill()
            process.communicate()
    assert all("has not answered for 10 s" in error for error in ended), ended
    assert backend.state("pump")["status"] == "created"
