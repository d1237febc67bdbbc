"""Proves that the standby may be killed at any moment of a request: nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest

from adapters.linux import process, process_tree
from adapters.linux.libc import become_subreaper
from adapters.supervisor import standby
from adapters.supervisor.launch import StarterGone
from adapters.supervisor.order import CREATOR
from adapters.supervisor.standby import Standby
from bootstrap.programs import load_supervisor, spawn_supervisor, supervisor_environment
from domain.container import Status
from domain.errors import HostFault
from tests.contract.backend_fixture import SimBackendFixture
from tests.contract.children import deadly, spawn, status_of
from tests.contract.test_lifecycle_faults import Host
from tests.waiting import wait_until

STANDBYS = ("recv_fds", "send", "_leave_successor", "waitpid", "take_descriptors")
HELPERS = ("_fork", "fork", "_exit")


@pytest.fixture
def host(tmp_path):
    backend = SimBackendFixture(tmp_path)
    try:
        made = Host(tmp_path, backend)
        yield made
        os.close(made.stdio.stdin)
    finally:
        backend.close()


def in_a_shim(body):
    """Run the function in a process that is a subreaper and has one thread, as a shim at first."""

    def shim():
        become_subreaper()
        body()

    assert status_of(spawn(shim)) == 0


def children(name=""):
    """Return the living children of this process with that name; dead ones are reaped."""
    found = []
    for pid in process_tree.children(os.getpid()):
        try:
            if os.waitpid(pid, os.WNOHANG) != (0, 0):
                continue
        except ChildProcessError:
            continue
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            if file.read().strip().startswith(name):
                found.append(pid)
    return found


def never(container_id, descriptors):
    raise AssertionError("no supervisor was to be spawned")


def opened(load=load_supervisor, spawn=never, *, several=False):
    made = Standby(load, spawn)
    made.open()
    made.begin(supervisor_environment(), several=several)
    return made


@pytest.mark.parametrize("several", [False, True])
def test_a_supervisor_is_the_shims_child_and_its_exit_status_is_the_containers(host, several):
    def shim():
        lifecycle = host.lifecycle(start=opened(several=several).start)
        container = host.create(lifecycle)
        assert children("rproc:c1") == [container.pid]
        assert os.getsid(container.pid) == container.pid
        lifecycle.start("c1")
        lifecycle.kill("c1", signal.SIGTERM)
        assert process.wait(container.pid, container.start_time, 10)
        assert os.waitstatus_to_exitcode(os.waitpid(container.pid, 0)[1]) == 0
        lifecycle.delete("c1")
        wait_until(lambda: len(children()) == int(several))

    in_a_shim(shim)
    host.nothing_left()


def test_a_pods_containers_have_a_standby_each(host):
    def shim():
        lifecycle = host.lifecycle(start=opened(several=True).start)
        for _ in range(3):
            container = host.create(lifecycle)
            assert children("rproc:c1") == [container.pid]
            lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


def test_the_successor_is_there_before_the_supervisor_is_known():
    """Else it would enter the container's control group with the supervisor."""

    def slow():
        leave = standby._leave_successor

        def leave_late(*given):
            time.sleep(0.3)
            leave(*given)

        standby._leave_successor = leave_late
        return load_supervisor()

    def shim():
        ours, theirs = socket.socketpair()
        with open(os.devnull, "rb") as nothing, ours, theirs:
            given = dict.fromkeys(range(3), nothing.fileno()) | {CREATOR: theirs.fileno()}
            made = opened(slow, several=True)  # the successor ends when nothing refers to this
            supervisor = made.start("c1", given)
            there = children()
        assert supervisor in there and len(there) == 2
        del made
        wait_until(lambda: not children())

    in_a_shim(shim)


def test_a_single_container_leaves_no_standby(host):
    def shim():
        lifecycle = host.lifecycle(start=opened(spawn=spawn_supervisor).start)
        for _ in range(2):  # the second one is spawned
            container = host.create(lifecycle)
            assert children() == [container.pid]
            lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


def test_the_standby_ends_with_the_shim(host):
    reader, writer = os.pipe()

    def shim():
        made = opened()
        (pid,) = wait_until(lambda: children("rproc-standby"))
        os.write(writer, f"{pid} {process.start_time(pid)}".encode())
        del made  # until now

    in_a_shim(shim)
    pid, started = map(int, os.read(reader, 100).split())
    os.close(reader)
    os.close(writer)
    assert process.wait(pid, started, 10)


def test_a_standby_that_was_killed_is_told_once_and_then_done_without(host):
    def shim():
        made = opened(spawn=spawn_supervisor)
        (pid,) = wait_until(lambda: children("rproc-standby"))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with pytest.raises(StarterGone):
            made.start("c1", {0: 0})
        lifecycle = host.lifecycle(start=made.start)
        assert host.create(lifecycle).pid == children("rproc:c1")[0]
        lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


def test_the_standby_ends_when_it_is_idle_and_supervisors_are_spawned_then(host, monkeypatch):
    def shim():
        monkeypatch.setattr(standby, "_IDLE", 0.1)
        made = opened(spawn=spawn_supervisor)
        wait_until(lambda: not children())
        lifecycle = host.lifecycle(start=made.start)
        host.create(lifecycle)
        lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


def test_a_standby_waits_as_long_as_it_takes_until_the_shim_has_a_container(host, monkeypatch):
    def shim():
        monkeypatch.setattr(standby, "_IDLE", 1.0)
        made = Standby(load_supervisor, never)
        made.open()
        lifecycle = host.lifecycle(start=made.start)
        time.sleep(1.5)
        made.begin({"PATH": os.environ["PATH"], "COLOUR": "blue"}, several=False)
        host.create(lifecycle)
        lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


def test_without_a_standby_supervisors_are_spawned(host):
    def shim():
        made = Standby(load_supervisor, spawn_supervisor)
        lifecycle = host.lifecycle(start=made.start)
        host.create(lifecycle)
        lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


def test_where_no_successor_can_be_forked_the_next_supervisor_is_spawned(host):
    def failing():
        def fork():
            raise BlockingIOError(11, "Resource temporarily unavailable")

        os.fork = fork
        return load_supervisor()

    def shim():
        made = opened(failing, spawn=spawn_supervisor, several=True)
        lifecycle = host.lifecycle(start=made.start)
        for _ in range(2):
            host.create(lifecycle)
            lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


class Connection(socket.socket):
    """The standby's socket; a test kills the standby before or after its `send`."""

    def send(self, data, *flags):
        return super().send(data, *flags)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("who", "name"),
    [*(("standby", name) for name in STANDBYS), *(("helper", name) for name in HELPERS)],
)
def test_a_death_at_any_moment_leaves_nothing_and_the_next_container_is_made(
    host, monkeypatch, who, name, after
):
    """The standby, or its helper, is killed right before or after one of the calls it makes.

    A standby that has answered is a supervisor: the creation fails if it dies.
    """

    def mortal():
        me = os.getpid()

        def mine():
            return os.getpid() == me if who == "standby" else os.getppid() == me

        socket.socket = Connection  # type: ignore[misc]
        for place in (standby, os, socket, Connection):
            if name in vars(place) and not (place is os and name == "fork" and who == "helper"):
                setattr(place, name, deadly(getattr(place, name), mine, after=after))
        return load_supervisor()

    answered = who == "standby" and (name, after) in (
        ("send", True),
        *(("take_descriptors", x) for x in (False, True)),
    )
    unanswered = (
        ("_leave_successor", True),
        ("waitpid", False),
        ("waitpid", True),
        ("send", False),
    )

    def shim():
        if who == "standby" and (name, after) in unanswered:
            # The successor has the socket, too: only time tells that no answer comes.
            monkeypatch.setattr(standby, "_WITHIN", 0.5)
        lifecycle = host.lifecycle(start=opened(mortal, spawn=spawn_supervisor, several=True).start)
        if answered:
            with pytest.raises(HostFault, match="ended before it was ready"):
                host.create(lifecycle)
            assert lifecycle.all() == []
        container = host.create(lifecycle)
        assert lifecycle.state("c1").status is Status.CREATED
        assert children("rproc:c1") == [container.pid]
        lifecycle.delete("c1", force=True)
        wait_until(lambda: not children("rproc:"))

    in_a_shim(shim)
    host.nothing_left()
