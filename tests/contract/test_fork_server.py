"""Proves that the fork server may be killed at any moment of a request: no container is lost."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from adapters.linux import process, process_tree
from adapters.linux.libc import become_subreaper
from adapters.supervisor import fork_server
from adapters.supervisor.fork_server import ForkServer
from adapters.supervisor.launch import StarterGone
from bootstrap.programs import load_supervisor, spawn_supervisor, supervisor_environment
from domain.container import Status
from tests.contract.backend_fixture import SimBackendFixture
from tests.contract.children import spawn, status_of
from tests.contract.test_lifecycle_faults import Host
from tests.waiting import wait_until

SERVERS = ("_fork_orphan", "_encode", "recv_fds", "send", "fork", "waitpid")
HELPERS = ("_help", "_encode", "fork", "write", "_exit")
SURVIVED = {
    *(("_help", True), ("_exit", True)),  # these do not return
    *(("write", True), ("_exit", False)),  # the helper has answered
}


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


def opened(load=load_supervisor):
    server = ForkServer(load, supervisor_environment(), spawn_supervisor)
    server.open()
    return server


def never(container_id, descriptors):
    raise AssertionError("no supervisor was to be spawned")


def test_a_supervisor_is_the_shims_child_and_its_exit_status_is_the_containers(host):
    def shim():
        server = ForkServer(load_supervisor, supervisor_environment(), never)
        server.open()
        lifecycle = host.lifecycle(start=server.start)
        container = host.create(lifecycle)
        assert children("rproc:c1") == [container.pid]
        assert os.getsid(container.pid) == container.pid
        lifecycle.start("c1")
        lifecycle.kill("c1", signal.SIGTERM)
        assert process.wait(container.pid, container.start_time, 10)
        assert os.waitstatus_to_exitcode(os.waitpid(container.pid, 0)[1]) == 0
        lifecycle.delete("c1")
        wait_until(lambda: len(children()) == 1)

    in_a_shim(shim)
    host.nothing_left()


def test_the_server_ends_with_the_shim(host):
    reader, writer = os.pipe()

    def shim():
        server = opened()
        (pid,) = wait_until(lambda: children("rproc-fork"))
        os.write(writer, f"{pid} {process.start_time(pid)}".encode())
        del server  # until now

    in_a_shim(shim)
    pid, started = map(int, os.read(reader, 100).split())
    os.close(reader)
    os.close(writer)
    assert process.wait(pid, started, 10)


def test_a_server_that_was_killed_is_told_once_and_then_done_without(host):
    def shim():
        server = opened()
        (pid,) = wait_until(lambda: children("rproc-fork"))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with pytest.raises(StarterGone):
            server.start("c1", {0: 0})
        lifecycle = host.lifecycle(start=server.start)
        assert host.create(lifecycle).pid == children("rproc:c1")[0]
        lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


def test_the_server_ends_when_it_is_idle_and_supervisors_are_spawned_then(host, monkeypatch):
    def shim():
        monkeypatch.setattr(fork_server, "_IDLE", 0.1)
        server = opened()
        wait_until(lambda: not children())
        lifecycle = host.lifecycle(start=server.start)
        host.create(lifecycle)
        lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


def test_without_a_server_supervisors_are_spawned(host):
    def shim():
        lifecycle = host.lifecycle(
            start=ForkServer(load_supervisor, supervisor_environment(), spawn_supervisor).start
        )
        host.create(lifecycle)
        lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


def test_a_failing_fork_is_an_error_and_the_server_goes_on(host):
    def failing():
        real = os.fork
        calls = []

        def fork():
            calls.append(1)
            if len(calls) == 1:
                raise BlockingIOError(11, "Resource temporarily unavailable")
            return real()

        os.fork = fork
        return load_supervisor()

    def shim():
        server = ForkServer(failing, supervisor_environment(), never)
        server.open()
        lifecycle = host.lifecycle(start=server.start)
        with pytest.raises(Exception, match=r"cannot start a supervisor: .*EAGAIN"):
            host.create(lifecycle)
        host.create(lifecycle)
        lifecycle.delete("c1", force=True)

    in_a_shim(shim)
    host.nothing_left()


class Connection(socket.socket):
    """The server's socket; a test kills the server before or after its `send`."""

    def send(self, data, *flags):
        return super().send(data, *flags)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("who", "name"),
    [*(("server", name) for name in SERVERS), *(("helper", name) for name in HELPERS)],
)
def test_a_death_at_any_moment_loses_no_container(host, who, name, after):
    """The server, or its helper, is killed right before or after one of the calls it makes."""

    def mortal():
        me = os.getpid()

        def deadly(real):
            def call(*args, **kwargs):
                mine = os.getpid() == me if who == "server" else os.getppid() == me
                if mine and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                answer = real(*args, **kwargs)
                if mine and after:
                    os.kill(os.getpid(), signal.SIGKILL)
                return answer

            return call

        socket.socket = Connection  # type: ignore[misc]
        for place in (fork_server, os, socket, Connection):
            if name in vars(place) and not (place is os and name == "fork" and who == "helper"):
                setattr(place, name, deadly(getattr(place, name)))
        return load_supervisor()

    def shim():
        server = opened(mortal)
        lifecycle = host.lifecycle(start=server.start)
        container = host.create(lifecycle)
        if (name, after) not in SURVIVED:
            wait_until(lambda: not children("rproc-fork"))
        assert lifecycle.state("c1").status is Status.CREATED
        assert children("rproc:c1") == [container.pid]
        lifecycle.delete("c1", force=True)
        wait_until(lambda: not children("rproc:"))

    in_a_shim(shim)
    host.nothing_left()
