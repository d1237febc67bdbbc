"""The contract of domain.ports.Supervisors, over every adapter of it: those in memory, and
processes on the boards that can be had here."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from dependency_injector import providers

from adapters.linux import process
from adapters.linux.channel import Channel
from adapters.linux.process_tree import children
from adapters.linux.spawn import spawn
from adapters.state.container_store import DirectoryStore
from adapters.supervisor import control_protocol
from adapters.supervisor.supervisors import ProcessSupervisors
from bootstrap.container import Runtime
from bootstrap.programs import spawn_supervisor
from bootstrap.settings import Settings
from domain.annotations import ProcessorOptions
from domain.container import Exit, FirmwareContainer, Operation, Status
from domain.errors import HostFault, NotFound, Unsupported, WrongState
from domain.linux_config import LinuxConfig, Namespace
from domain.ports import Board, ContainerStore, Leases, Supervisors
from domain.processor import FirmwareExit
from domain.stdio import Stdio
from tests.contract.backend_fixture import FIRMWARE, SimBackendFixture
from tests.contract.backends import BACKENDS, available
from tests.contract.children import child, kill
from tests.fakes.board import FakeBoard, Program
from tests.fakes.leases import MemoryLeases
from tests.fakes.store import MemoryStore
from tests.fakes.supervisors import MemorySupervisors
from tests.firmware_images import image_of


class Place:
    """A store, a board and supervisors; `spawned` are the containers that a test has made.

    `no_status` and `no_pause` are those of BackendFixture.
    """

    no_status = ""
    no_pause = ""
    board: Board
    leases: Leases
    spawned: list[FirmwareContainer]
    stdio: Stdio
    store: ContainerStore
    supervisors: Supervisors

    def image(self, program, place, final):
        """Stage a program of firmware/ into the directory `place`, which becomes `final`."""
        raise NotImplementedError

    def spawn(self, program="hello", container_id="c1", **more):
        """Return a draft and its container, whose supervisor is ready and not adopted yet."""
        draft = self.store.draft(container_id)
        container = FirmwareContainer(
            id=container_id,
            bundle="/b",
            processor=self.board.processors()[0].name,
            device="remoteproc0",
            firmware=self.image(program, draft.path, self.store.directory(container_id)),
            annotations={},
            created=1.0,
            **more,
        )
        try:
            container = self.supervisors.spawn(draft, container, ProcessorOptions(), self.stdio)
        except BaseException:
            draft.discard()
            raise
        self.spawned.append(container)
        return draft, container

    def create(self, program="hello", container_id="c1"):
        draft, container = self.spawn(program, container_id)
        draft.commit(container)
        self.supervisors.adopt(container)
        draft.close()
        return container

    def exit_of(self, container):
        assert self.supervisors.wait(container, 10)
        return self.store.load(container.id).exit

    def stale(self):
        return [lease.owner.id for lease in self.leases.stale()]


class Memory(Place):
    supervisors: MemorySupervisors

    def __init__(self, directory):
        programs = {
            "exit.elf": Program(b"", FirmwareExit(False, 7, "exit code 7")),
            "crash.elf": Program(b"", FirmwareExit(True, None, "lockup")),
        }
        self.stdio = Stdio()
        self.spawned = []
        self.board = FakeBoard("m4", "m7", programs=programs)
        self.store = MemoryStore()
        self.leases = MemoryLeases()
        self.supervisors = MemorySupervisors(self.board, self.store, self.leases)

    def image(self, program, place, final):
        return image_of(FIRMWARE / f"{program}.elf")

    def end(self):
        for container in self.spawned:
            if self.supervisors.alive(container):
                self.supervisors.crash(container)


class Processes(Place):
    def __init__(self, directory, make=SimBackendFixture):
        root = f"{directory}/containers"
        self.backend = make(directory)
        settings = self.backend.settings(Settings(root, f"{directory}/run"))
        self.board = self.backend.board
        self.no_status, self.no_pause = self.backend.no_status, self.backend.no_pause
        self.output = os.open(f"{directory}/output", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.stdio = Stdio(os.open(os.devnull, os.O_RDWR), self.output, self.output)
        self.spawned = []
        self.store = DirectoryStore(root)
        self.graph = Runtime(settings=settings, warn=print, start_supervisor=spawn_supervisor)
        self.graph.board.override(providers.Callable(lambda: self.board))
        self.leases = self.graph.leases()
        self.supervisors = self.graph.supervisors()

    def image(self, program, place, final):
        image = self.backend.image(program)
        shutil.copy(image.path, f"{place}/firmware")
        return image._replace(path=f"{final}/firmware")

    def end(self):
        for container in self.spawned:
            if process.start_time(container.pid) == container.start_time:
                os.kill(container.pid, signal.SIGKILL)
            try:
                os.waitpid(container.pid, 0)
            except ChildProcessError:
                pass  # reaped by a test, or another process's child
        list(map(self.reclaim, self.leases.stale()))
        os.close(self.stdio.stdin)
        os.close(self.output)
        self.backend.close()

    def reclaim(self, lease):
        self.backend.open().release(lease.claim)
        lease.release()


@pytest.fixture(params=["memory", *available("fake", "idle")])
def place(request, tmp_path):
    memory = request.param == "memory"
    made = Memory(tmp_path) if memory else Processes(tmp_path, BACKENDS[request.param])
    if not memory:
        request.node.user_properties.append(("backend", request.param))  # counted in the summary
    try:
        yield made
    finally:
        made.end()


def test_a_life(place):
    container = place.create()
    assert container.pid > 0 and container.start_time > 0
    assert place.supervisors.alive(container)
    assert place.store.load("c1").status is Status.CREATED
    place.supervisors.ask(container, Operation.START)
    assert place.store.load("c1").status is Status.RUNNING
    assert place.leases.owner("remoteproc0").id == "c1"
    assert not place.supervisors.wait(container, 0)
    place.supervisors.ask(container, Operation.STOP)
    exit_ = place.store.load("c1").exit
    assert (exit_.status, exit_.reason) == (0, "stopped on request"), "on record when answered"
    assert place.supervisors.wait(container, 10)
    assert not place.supervisors.alive(container)
    assert place.leases.owner("remoteproc0") is None and place.stale() == []
    assert place.board.processors()[0].state.startable


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize(("operation", "status"), [(Operation.STOP, 0), (Operation.KILL, 137)])
def test_exits_on_request(place, operation, status, started):
    container = place.create()
    if started:
        place.supervisors.ask(container, Operation.START)
    place.supervisors.ask(container, operation)
    assert place.store.load("c1").exit.status == status
    assert place.exit_of(container).status == status
    assert place.board.processors()[0].state.startable


@pytest.mark.parametrize(("program", "status"), [("exit", 7), ("crash", 139)])
def test_exits_of_the_firmware(place, program, status):
    container = place.create(program)
    place.supervisors.ask(container, Operation.START)
    assert place.supervisors.wait(container, None)
    if program == "exit" and place.no_status:
        status = 0
    assert place.store.load("c1").exit.status == status
    assert place.board.processors()[0].state.startable
    assert place.stale() == []


ILLEGAL = [Operation.PAUSE, Operation.RESUME, Operation.DELETE, Operation.EXEC]


@pytest.mark.parametrize("operation", ILLEGAL)
def test_what_is_not_legal_is_refused(place, operation):
    container = place.create()
    with pytest.raises(WrongState):
        place.supervisors.ask(container, operation)
    place.supervisors.ask(container, Operation.START)
    assert place.supervisors.alive(container)


def test_pause_and_resume_are_on_record(place):
    container = place.create()
    if place.no_pause:
        place.supervisors.ask(container, Operation.START)
        with pytest.raises(Unsupported):
            place.supervisors.ask(container, Operation.PAUSE)
        assert place.store.load("c1").status is Status.RUNNING
        return
    for operation, status in [
        (Operation.START, Status.RUNNING),
        (Operation.PAUSE, Status.PAUSED),
        (Operation.RESUME, Status.RUNNING),
        (Operation.PAUSE, Status.PAUSED),
    ]:
        place.supervisors.ask(container, operation)
        assert place.store.load("c1").status is status
    place.supervisors.ask(container, Operation.STOP)
    assert place.exit_of(container).status == 0


def test_a_second_container_on_a_processor(place):
    first, second = place.create(), place.create("hello", "c2")
    place.supervisors.ask(first, Operation.START)
    with pytest.raises(Exception, match="c1"):
        place.supervisors.ask(second, Operation.START)
    place.supervisors.ask(first, Operation.STOP)
    place.supervisors.ask(second, Operation.START)
    assert place.store.load("c2").status is Status.RUNNING


def test_signals(place):
    container = place.create()
    place.supervisors.ask(container, Operation.START)
    place.supervisors.signal(container, signal.SIGHUP)
    assert not place.supervisors.wait(container, 0.2), "ignored"
    place.supervisors.signal(container, signal.SIGTERM)
    assert place.exit_of(container).status == 0


def test_death(place):
    """By SIGKILL: nothing is on record, but the next command finds the lease of the dead owner."""
    container = place.create()
    place.supervisors.ask(container, Operation.START)
    place.supervisors.signal(container, signal.SIGKILL)
    assert place.supervisors.wait(container, 10)
    assert not place.supervisors.alive(container)
    assert place.store.load("c1").exit is None
    assert place.stale() == ["c1"]


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_one_that_is_gone(place, how):
    container = place.create()
    if how == "stop":
        place.supervisors.ask(container, Operation.STOP)
    else:
        place.supervisors.signal(container, signal.SIGKILL)
    assert place.supervisors.wait(container, 10)
    for _ in range(2):
        assert not place.supervisors.alive(container)
        assert place.supervisors.wait(container, 0)
        with pytest.raises(WrongState):
            place.supervisors.ask(container, Operation.START)
        with pytest.raises(WrongState):
            place.supervisors.signal(container, signal.SIGTERM)


@pytest.mark.parametrize("committed", [False, True])
def test_abandoning_ends_it(place, committed):
    draft, container = place.spawn()
    if committed:
        draft.commit(container)
    place.supervisors.abandon(container)
    assert not place.supervisors.alive(container)
    draft.discard()
    with pytest.raises(NotFound):
        place.store.load("c1")
    place.create()


# --- processes only: what memory cannot show ------------------------------------------------


@pytest.fixture
def host(tmp_path):
    made = Processes(tmp_path)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("committed", [False, True])
def test_a_creator_that_dies_takes_the_supervisor_along(host, committed):
    reader, writer = os.pipe()

    def create(ready):
        draft, container = host.spawn()
        if committed:
            draft.commit(container)
        os.write(writer, f"{container.pid} {container.start_time}".encode())
        ready()

    with child(create) as creator:
        pid, start_time = map(int, os.read(reader, 100).split())
        assert process.start_time(pid) == start_time
        kill(creator)
        assert process.wait(pid, start_time, 10)
    host.store.sweep()
    if committed:
        assert host.store.load("c1").exit[::2] == (137, "abandoned before it was created")
    else:
        assert os.listdir(host.store.root) == []


def test_a_pid_that_is_another_process_here_gets_no_signal(host):
    """As where the supervisor lives in another pid or time namespace than the command."""
    container = host.create()
    elsewhere = container._replace(start_time=container.start_time + 1)
    assert host.supervisors.alive(elsewhere)
    assert not host.supervisors.wait(elsewhere, 0)
    with pytest.raises(HostFault, match="in another pid or time namespace"):
        host.supervisors.signal(elsewhere, signal.SIGKILL)
    assert host.supervisors.alive(container)


def test_a_pid_that_came_again_is_not_the_supervisor(host):
    container = host.create()
    host.supervisors.ask(container, Operation.STOP)
    assert host.supervisors.wait(container, 10)
    namesake = container._replace(pid=os.getpid())
    assert not host.supervisors.alive(namesake)
    assert host.supervisors.wait(namesake, 0)
    with pytest.raises(WrongState):
        host.supervisors.signal(namesake, signal.SIGKILL)


@pytest.mark.parametrize("command", [["/nonexistent"], ["/bin/true"], ["/bin/false"]])
def test_a_supervisor_that_cannot_be_started(host, command):
    def start(container_id, descriptors):
        return spawn([*command, container_id], {}, descriptors)

    before = children(os.getpid())
    host.supervisors = ProcessSupervisors(
        host.store.root, start, "sim", host.leases, lambda: host.board
    )
    with pytest.raises(HostFault):
        host.spawn()
    assert os.listdir(host.store.root) == []
    assert children(os.getpid()) == before, "none is left to be reaped"


def test_a_supervisor_that_answers_without_sense_is_an_error_of_one_line(host):
    """The image's code may have taken it over."""
    container = host.create()
    host.supervisors.signal(container, signal.SIGKILL)
    assert host.supervisors.wait(container, 5)
    path = f"{host.store.root}/c1/{control_protocol.SOCKET}"
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as impostor, ThreadPoolExecutor() as pool:
        impostor.bind(path)
        impostor.listen()
        asked = pool.submit(host.supervisors.ask, container, Operation.PAUSE)
        channel = Channel(impostor.accept()[0])
        assert channel.receive() == Operation.PAUSE.encode()
        channel.send(b'{"error": "os"}')
        with pytest.raises(HostFault, match="the supervisor of container c1 sent an answer"):
            asked.result()
        channel.close()


FATAL = [signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL]


@pytest.mark.parametrize("number", FATAL)
def test_a_signal_of_a_failing_instruction_ends_it_and_the_processor_is_released(host, number):
    """A handler would run the failing instruction again, without end."""
    container = host.create()
    host.supervisors.ask(container, Operation.START)
    os.kill(container.pid, number)
    assert host.supervisors.wait(container, 5)
    _, status = os.waitpid(container.pid, 0)
    assert os.waitstatus_to_exitcode(status) == -number
    next_command = host.graph.lifecycle()
    assert next_command.state("c1").status is Status.STOPPED
    assert host.board.processors()[0].state.startable
    assert host.stale() == []


def test_an_order_and_an_answer_may_have_any_length(host):
    """The answer is an error that quotes the path of a namespace; only people see it shortened."""
    namespaces = (Namespace("uts", "/" + "y" * 300_000),)
    with pytest.raises(HostFault, match=r"cannot open uts namespace /y+\.{3}y+: .*ENAMETOOLONG"):
        host.spawn(linux_config=LinuxConfig(namespaces, hostname="z" * 70_000))
    assert os.listdir(host.store.root) == []


def test_its_exit_status_is_the_containers(host):
    container = host.create("exit")
    host.supervisors.ask(container, Operation.START)
    _, status = os.waitpid(container.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_long_state_root(tmp_path):
    """Socket addresses have 107 bytes; state roots of Kubernetes have more."""
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    host = Processes(deep)
    try:
        container = host.create()
        host.supervisors.ask(container, Operation.START)
        host.supervisors.ask(container, Operation.STOP)
        assert isinstance(host.exit_of(container), Exit)
    finally:
        host.end()
