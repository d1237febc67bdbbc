"""Proves what is read of processes in /proc, with real ones."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from adapters.linux import process, process_tree
from domain.errors import HostFault
from tests.sandbox import in_child

NAME = "a) Z (b"  # a process's name may look like the fields that follow it


@pytest.fixture
def shell():
    """A process with an odd name and one child."""
    script = (
        "import subprocess, sys; open('/proc/self/comm', 'w').write(sys.argv[1]);"
        "child = subprocess.Popen(['sleep', '100']); print(child.pid, flush=True); child.wait()"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", script, NAME], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    child = int(running.stdout.readline())
    yield running.pid, child
    os.kill(child, signal.SIGKILL)
    running.wait()
    running.stdout.close()


def test_a_tree_has_parents_before_children(shell):
    pid, child = shell
    assert process_tree.process_tree(pid) == [pid, child]
    assert pid in process_tree.children(os.getpid())


def test_a_process_is_known_by_pid_and_start_time(shell):
    pid, _ = shell
    started = process.start_time(pid)
    assert started > 0
    descriptor = process.open_process(pid, started)
    assert descriptor is not None
    os.close(descriptor)
    assert process.open_process(pid, started + 1) is None
    assert process.wait(pid, started + 1, 0), "that one has ended long ago"
    assert not process.wait(pid, started, 0)


@pytest.mark.parametrize(
    "look",
    [process.start_time, lambda pid: process.open_process(pid, 1), lambda p: process.wait(p, 1, 0)],
    ids=["start_time", "open_process", "wait"],
)
def test_a_process_that_cannot_be_looked_at_has_not_ended(look):
    def without_descriptors():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            look(os.getppid())
        except HostFault as error:
            return str(error)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return "ended"

    fault = in_child(without_descriptors)
    assert "cannot look at process" in fault and "EMFILE" in fault


def test_a_summary_says_what_ps_shows(shell):
    pid, child = shell
    deadline = time.monotonic() + 10
    while not (summary := process_tree.summary(child)).command:  # it is about to become `sleep`
        assert time.monotonic() < deadline
    assert (summary.parent, summary.user) == (pid, os.getuid())
    assert summary.command == "sleep 100"


def test_usage_adds_up_and_leaves_out_the_dead(shell):
    pid, child = shell
    dead = subprocess.Popen(["true"])
    dead.wait()
    one, both = process_tree.usage_of([pid]), process_tree.usage_of([pid, child, dead.pid])
    assert (one.processes.now, both.processes.now) == (1, 2)
    assert (both.memory.now or 0) >= (one.memory.now or 0) > 1 << 20
    assert process_tree.usage_of([]).processes.now == 0


def test_a_zombie_has_ended():
    dead = subprocess.Popen(["true"])
    deadline = time.monotonic() + 10
    while not process.is_zombie(dead.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.start_time(dead.pid) == 0
    dead.wait()
    assert not process.is_zombie(dead.pid)


def test_a_title_is_left_out_where_the_kernels_fields_are_fewer(monkeypatch):
    """QEMU's user mode shows 44 fields of its own process, without the addresses of the words."""
    fields = process.stat_fields(os.getpid())
    monkeypatch.setattr(process, "stat_fields", lambda _: fields[:42])
    with open("/proc/self/cmdline", "rb") as file:
        before = file.read()
    process.set_title("another title")
    with open("/proc/self/cmdline", "rb") as file:
        assert file.read() == before
