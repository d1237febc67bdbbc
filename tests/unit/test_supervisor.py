"""Proves what a supervisor does when an adapter raises an error that its port does not allow: the
processor is released, the exit is on record with the reason, and each request gets an answer."""

from __future__ import annotations

import os
import re
import socket
import time
from errno import ENOSPC

import pytest

from adapters.isolation.limit_hit import LimitHit
from adapters.linux.channel import Channel
from adapters.state.exit_record import read_exit
from adapters.state.leases import FileLeases
from adapters.state.status_record import DirectoryStatusRecord
from adapters.supervisor import control_protocol
from adapters.supervisor.console_input import Input
from adapters.supervisor.output import Output
from adapters.supervisor.supervisor import Supervisor
from domain.annotations import ProcessorOptions
from domain.container import Owner
from domain.errors import HostFault, RemoteprocError, WrongState
from domain.firmware import FirmwareImage
from domain.processor import OFFLINE, FirmwareExit
from domain.session import ProcessorSession
from tests.contract.children import kill, spawn, status_of
from tests.fakes.board import FakeBoard, FakeProcessor, Program
from tests.waiting import wait_until

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
            limit_hit=LimitHit(""),
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
        exit_ = read_exit(directory)
    finally:
        os.close(directory)
    assert exit_
    assert exit_.status == 137
    said = r"internal error: RuntimeError: this adapter\\nis broken \(unit/test_supervisor.py:\d+\)"
    assert re.fullmatch(said, exit_.reason)
    assert "internal error" in place.log.read_text()
    if broken == "start":
        assert isinstance(answer, RemoteprocError) and str(answer) == exit_.reason
    else:
        assert answer is None, "the firmware was started before the adapter failed"


@pytest.mark.parametrize("operation", ["stop", "kill"])
def test_a_stop_of_firmware_whose_end_nobody_has_seen_yet(make, monkeypatch, tmp_path, operation):
    state = FakeProcessor.state
    looks = []

    def ends_after_the_first_look(processor):
        looks.append(state(processor))
        if len(looks) == 1:
            processor.core.power, processor.core.exit = OFFLINE, FirmwareExit(False, 7, "code 7")
            (tmp_path / "ended").touch()
        return looks[-1]

    monkeypatch.setattr(FakeProcessor, "state", ends_after_the_first_look)
    monkeypatch.setattr(FakeProcessor, "poll_seconds", None)
    place = make("")
    assert place.ask("start") is None
    wait_until((tmp_path / "ended").exists)
    assert place.ask(operation) is None, "it is off, as was asked for"
    assert status_of(place.pid) == 7


class Looks:
    """Counts the reads of a processor's state and output, in the process that makes them."""

    def __init__(self, monkeypatch, state_seconds, output_seconds):
        self._counted, counting = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        state = FakeProcessor.state

        class Console:
            poll_seconds = output_seconds
            write_input = staticmethod(len)

            def __init__(self):
                self.read = b""

            def read_output(self):
                self.read = b"o"
                return b""

        def count(processor):
            found = state(processor)
            os.write(counting, console.read + b"s")  # one look
            console.read = b""
            return found

        console = Console()

        monkeypatch.setattr(FakeProcessor, "state", count)
        monkeypatch.setattr(FakeProcessor, "console", console)
        monkeypatch.setattr(FakeProcessor, "poll_seconds", state_seconds)

    def counted(self, seconds):
        """Wait for the first look, then count for so long, or longer on a busy machine.

        Return the reads of state and output, and the seconds.
        """
        wait_until(self._read)
        began = time.monotonic()
        time.sleep(seconds)
        found = self._read()
        return found.count(b"s"), found.count(b"o"), time.monotonic() - began

    def _read(self):
        try:
            return os.read(self._counted, 1 << 16)
        except BlockingIOError:
            return b""


@pytest.mark.parametrize(("state", "output"), [(None, None), (0.2, None), (None, 0.25), (0.1, 0.5)])
def test_an_idle_processor_is_looked_at_as_rarely_as_it_asks(make, monkeypatch, state, output):
    looks = Looks(monkeypatch, state, output)
    place = make("")
    assert place.ask("start") is None
    states, outputs, seconds = looks.counted(1.0)

    def most(*periods):
        return sum(seconds / period + 1 for period in periods if period)

    assert states <= most(state, output) and outputs <= most(output)
    assert bool(states) == bool(state or output) and bool(outputs) == bool(output)


def test_a_state_that_cannot_be_read_is_asked_for_with_pauses_and_known_in_the_end(
    make, monkeypatch
):
    """What cannot be read stays announced; without pauses the supervisor would do nothing else."""
    looks = Looks(monkeypatch, None, None)
    state, ready = FakeProcessor.state, os.eventfd(1)
    looked = []

    def fail_for_a_while(processor):
        looked.append(time.monotonic())
        if looked[-1] < looked[0] + 1.5:
            state(processor)
            raise HostFault("cannot write the record", errno=ENOSPC)
        processor.core.power = OFFLINE
        processor.core.exit = FirmwareExit(False, 7, "exit code 7")
        return state(processor)

    monkeypatch.setattr(FakeProcessor, "state", fail_for_a_while)
    monkeypatch.setattr(FakeProcessor, "watch", lambda _: (ready,))
    place = make("")
    assert place.ask("start") is None
    states, _, seconds = looks.counted(1.0)
    assert 2 <= states <= 25 * seconds
    assert status_of(place.pid) == 7
    os.close(ready)


def test_firmware_that_ends_at_once_is_noticed_though_nothing_announces_it(make, monkeypatch):
    start = FakeProcessor.start

    def start_and_end(processor):
        start(processor)
        processor.core.power = OFFLINE
        processor.core.exit = FirmwareExit(False, 7, "exit code 7")

    monkeypatch.setattr(FakeProcessor, "start", start_and_end)
    monkeypatch.setattr(FakeProcessor, "poll_seconds", None)
    place = make("")
    assert place.ask("start") is None
    assert status_of(place.pid) == 7


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
