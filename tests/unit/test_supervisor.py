"""Proves what a supervisor does when an adapter raises an error that its port does not allow: the
processor is released, the exit is on record with the reason, and each request gets an answer."""

from __future__ import annotations

import os
import socket

import pytest

from adapters.linux.channel import Channel
from adapters.state import container_dir
from adapters.state.leases import FileLeases
from adapters.state.status_record import DirectoryStatusRecord
from adapters.supervisor import control_protocol
from adapters.supervisor.console_input import Input
from adapters.supervisor.output import Output
from adapters.supervisor.supervisor import Supervisor
from domain.annotations import ProcessorOptions
from domain.container import Owner
from domain.errors import RemoteprocError, WrongState
from domain.firmware import FirmwareImage
from domain.session import ProcessorSession
from tests.contract.children import kill, spawn, status_of
from tests.fakes.board import FakeBoard, Program

FIRMWARE = FirmwareImage("hello.elf", 1, "sha256:0", "/nowhere/hello.elf")


class Place:
    """A container's directory, and its supervisor in a process of its own."""

    def __init__(self, directory, broken):
        self.path = directory / "container"
        self.path.mkdir()
        self.locks = str(directory / "locks")
        self.log = directory / "log"
        self.broken = broken
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.creator, self._theirs = map(Channel, pair)
        self.pid = spawn(self._supervise)
        self._theirs.close()

    def _supervise(self):
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        board = FakeBoard("m4", programs={"hello.elf": Program(b"hello\n")})
        processor = board.open("remoteproc0", ProcessorOptions())
        for method in self.broken.split():
            setattr(processor, method, self._break)
        directory = os.open(self.path, os.O_RDONLY)
        leases = FileLeases(self.locks, "fake")
        supervisor = Supervisor(
            stop_signals=frozenset({15}),
            processor=processor,
            session=ProcessorSession(
                processor, leases, Owner("c1", "/"), FIRMWARE, DirectoryStatusRecord(directory)
            ),
            directory=directory,
            creator=self._theirs,
            stdin=Input(-1, terminal=False),
            output=Output(directory, terminal=False),
        )
        self._theirs.send(b"ready")
        status = supervisor.run()
        if "release" not in self.broken:
            assert board.cores[0].power.startable, "the processor was released"
        assert leases.owner("remoteproc0") is None
        os._exit(status)

    def _break(self, *_):
        raise RuntimeError("this adapter\nis broken")

    def ask(self, operation):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(f"{self.path}/control")
            control = Channel(connection)
            control.settimeout(10)
            control.send(operation.encode())
            return control_protocol.decode(control.receive())


@pytest.fixture
def make(tmp_path):
    places = []

    def make(broken):
        places.append(Place(tmp_path, broken))
        assert places[0].creator.receive() == b"ready"
        places[0].creator.send(b"adopt")
        return places[0]

    yield make
    for place in places:
        place.creator.close()
        kill(place.pid)


@pytest.mark.parametrize("broken", ["state", "read_output", "watch", "start", "state release"])
def test_an_adapter_that_raises_what_it_must_not(make, broken):
    place = make(broken)
    answer = place.ask("start")
    assert status_of(place.pid) == 137
    directory = os.open(place.path, os.O_RDONLY)
    try:
        exit_ = container_dir.read_exit(directory)
    finally:
        os.close(directory)
    assert exit_
    assert exit_.status == 137
    assert exit_.reason == r"internal error: RuntimeError: this adapter\nis broken"
    assert "internal error" in place.log.read_text()
    if broken == "start":
        assert isinstance(answer, RemoteprocError) and str(answer) == exit_.reason
    else:
        assert answer is None, "the firmware was started before the adapter failed"


@pytest.mark.parametrize("word", ["dance", "START", "delete", "\n"])
def test_a_request_that_is_no_operation_is_refused(make, word):
    place = make("")
    assert isinstance(place.ask(word), WrongState)
    assert place.ask("start") is None
    assert place.ask("stop") is None
    assert status_of(place.pid) == 0


def test_a_command_that_says_nothing_holds_up_nobody(make):
    place = make("")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(f"{place.path}/control")
        silent.send(b"\x05")  # a part of a message's length
        assert place.ask("start") is None
        assert place.ask("stop") is None
