"""Proves that a command or a supervisor may be killed by SIGKILL before any of its changes.

The container's state is then reported truthfully, and deleting the container leaves nothing at all.
"""

from __future__ import annotations

import os
import shutil
import sys
import time

import pytest
from dependency_injector import providers

from adapters.linux.spawn import environment_of, spawn
from bootstrap import programs
from bootstrap.container import Runtime
from bootstrap.settings import Settings
from domain.container import Status
from domain.creation import CreateRequest
from domain.errors import RemoteprocError
from domain.stdio import Stdio
from tests.contract.backends import BACKENDS, available
from tests.contract.children import every_death

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CHANGES = (
    *("mkdir", "rmdir", "rename", "link", "unlink"),
    *("write", "pwrite", "ftruncate", "posix_spawn"),
)
SOURCES = os.path.dirname(os.path.dirname(programs.__file__))
MORTAL = f"""
import os, sys
sys.path.append(sys.argv[1])
left, me = int(sys.argv[2]), os.getpid()
def mortal(real):
    def call(*args, **kwargs):
        global left
        left -= os.getpid() == me  # not what QEMU's process does before it becomes QEMU
        if left < 0:
            os._exit(137)  # as by SIGKILL, which a supervisor may not send
        return real(*args, **kwargs)
    return call
for name in {CHANGES}:
    setattr(os, name, mortal(getattr(os, name)))
import bootstrap.supervise
bootstrap.supervise.main()
"""


class Host:
    """A runtime on a backend's board; its supervisors die before change number `mortal`."""

    def __init__(self, directory, backend):
        self.backend, self.board = backend, backend.board
        self.settings = backend.settings(Settings(f"{directory}/containers", f"{directory}/run"))
        self.root, self.run = self.settings.root, self.settings.run_directory
        self.before = backend.snapshot()
        self.rootfs = f"{directory}/rootfs"
        os.mkdir(self.rootfs)
        shutil.copy(backend.image("hello").path, f"{self.rootfs}/hello.elf")
        null = os.open(os.devnull, os.O_RDWR)
        self.stdio = Stdio(null, null, null)
        self.warnings = []

    def lifecycle(self, mortal=None, start=programs.spawn_supervisor):
        def start_mortal(container_id, descriptors):
            python = (sys.executable, "-I", "-S", "-X", "utf8", "-c", MORTAL)
            command = (*python, SOURCES, str(mortal), container_id)
            return spawn(command, environment_of("PATH", "LANG"), descriptors)

        if mortal is not None:
            start = start_mortal
        graph = Runtime(settings=self.settings, warn=self.warnings.append, start_supervisor=start)
        graph.board.override(providers.Callable(lambda: self.board))
        return graph.lifecycle()

    def create(self, lifecycle):
        annotations = {"remoteproc.name": self.board.processors()[0].name}
        request = CreateRequest("c1", "/b", self.rootfs, "/", "hello.elf", annotations)
        return lifecycle.create(request, self.stdio)

    def files(self):
        found = []
        for top in (self.root, self.run):
            for directory, _, names in os.walk(top):
                found += [f"{directory}/{name}" for name in names]
        return found + (os.listdir(self.root) if os.path.isdir(self.root) else [])

    def nothing_left(self):
        """A supervisor that its creator's death has orphaned takes a moment to go."""
        lifecycle = self.lifecycle()
        deadline = time.monotonic() + 10
        while True:
            lifecycle.delete("c1", force=True)
            lifecycle.reap_stale()
            if not self.files() or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        assert self.files() == []
        assert self.backend.snapshot() == self.before
        assert self.warnings == []

    def reap(self):
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG) == (0, 0):
                    return
            except ChildProcessError:
                return


@pytest.fixture(params=available("fake", "idle"))
def host(request, tmp_path):
    request.node.user_properties.append(("backend", request.param))  # counted in the summary
    backend = BACKENDS[request.param](tmp_path)
    try:
        made = Host(tmp_path, backend)
        yield made
        os.close(made.stdio.stdin)
        made.reap()
    finally:
        backend.close()


def whole_life(host, lifecycle):
    """Create, start, stop, as an engine does, which goes on after errors."""
    failures = []
    for step in (
        lambda: host.create(lifecycle),
        lambda: lifecycle.start("c1"),
        lambda: lifecycle.kill("c1", 15),
    ):
        try:
            step()
        except RemoteprocError as error:
            failures.append(error)
    return failures


def test_a_supervisor_that_dies_anywhere(host):
    number = 0
    while True:
        failures = whole_life(host, host.lifecycle(number))
        host.reap()
        rows = host.lifecycle().all()
        if not failures and rows[0].exit.status == 0:
            break
        assert all(str(failure).isprintable() for failure in failures)
        for container in rows:
            assert container.status is Status.STOPPED, f"death {number}"
            assert container.exit[::2] == (137, "its supervisor was killed"), (number, failures)
        assert host.backend.snapshot() == host.before
        host.nothing_left()
        number += 1
        assert number < 200
    assert number > 10, "there was something to die in"
    host.nothing_left()


@pytest.mark.parametrize("start", [programs.spawn_supervisor, programs.fork_supervisor])
def test_a_creator_that_dies_anywhere(host, start):
    seen = set()
    for _ in every_death(lambda: host.create(host.lifecycle(start=start))):
        rows = host.lifecycle().all()
        seen.add(len(rows))
        for container in rows:
            assert container.id == "c1" and container.status in (Status.CREATED, Status.STOPPED)
        host.nothing_left()
    assert seen == {0, 1}, "some died before it was visible and some after"
    assert host.lifecycle().state("c1").status is Status.CREATED
    host.nothing_left()


def test_a_deleter_that_dies_anywhere(host):
    host.create(host.lifecycle())
    for _ in every_death(lambda: host.lifecycle().delete("c1", force=True)):
        host.nothing_left()
        host.reap()
        host.create(host.lifecycle())
    host.nothing_left()
