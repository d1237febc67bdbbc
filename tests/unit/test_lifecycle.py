"""Proves the use cases over ports in memory: what each does, what it undoes when a step fails,
and what is cleaned up after dead processes."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import pytest

from adapters.state.allocation_files import AllocationFiles
from domain.container import Exit, Owner, Status
from domain.creation import CreateRequest
from domain.errors import (
    AlreadyExists,
    Busy,
    FirmwareUnfit,
    Forbidden,
    HostFault,
    InvalidRequest,
    NotFound,
    ProcessorFault,
    RemoteprocError,
    SupervisorGone,
    Unsupported,
    WrongState,
)
from domain.hooks import Hook
from domain.lifecycle import Lifecycle
from domain.mounts import ImageFiles
from domain.patience import Patience
from domain.policy import NodePolicy
from domain.processor import (
    OFFLINE,
    RUNNING,
    SUSPENDED,
    FirmwareExit,
    ProcessorInfo,
    ProcessorState,
)
from domain.selection import choose
from domain.stdio import Stdio
from tests.fakes.board import FakeBoard, Program, UnpausableProcessor
from tests.fakes.control_groups import MemoryGroups
from tests.fakes.fault_injector import FaultInjector
from tests.fakes.hooks import MemoryHooks
from tests.fakes.leases import MemoryLeases
from tests.fakes.refusals import ToldRefusals
from tests.fakes.source import MemorySource
from tests.fakes.store import MemoryStore
from tests.fakes.supervisors import MemorySupervisors

PROGRAMS = {
    "hello.elf": Program(b"hello\n"),
    "exit.elf": Program(b"", FirmwareExit(False, 7, "exit code 7")),
    "crash.elf": Program(b"", FirmwareExit(True, None, "lockup")),
}
NOW = 1700000000.0


class World:
    """A runtime in memory, and its parts, so that a test can look at them and change them."""

    request: CreateRequest

    def __init__(self, *names, injector=None, **board):
        injector = injector or FaultInjector()
        self.board = FakeBoard(*(names or ("m4",)), programs=PROGRAMS, **board)
        self.store = MemoryStore()
        self.leases = MemoryLeases()
        self.supervisors = MemorySupervisors(self.board, self.store, self.leases)
        self.source = MemorySource(dict.fromkeys(PROGRAMS, b"\x7fELF"))
        self.groups = MemoryGroups()
        self.hooks = MemoryHooks()
        self.allocations = AllocationFiles("/nowhere")
        self.rules: dict[str, dict[str, Any]] = {}
        self.namespace = ""
        self.now = NOW
        self.waits: dict[str, float] = {}
        self.warnings: list[str] = []
        self.boards_made = 0
        self.refusals = ToldRefusals()

        def make_board():
            self.boards_made += 1
            injector.count("board")
            return injector.wrap("board", self.board)

        source = injector.wrap("source", self.source)
        self.lifecycle = Lifecycle(
            store=injector.wrap("store", self.store),
            board=make_board,
            source=lambda: source,
            supervisors=injector.wrap("supervisors", self.supervisors, "abandon"),
            leases=injector.wrap("leases", self.leases),
            groups=lambda: self.groups,
            patience=Patience(self.waits, self.warnings.append, time.monotonic, time.sleep),
            hooks=lambda: self.hooks,
            allocations=lambda: self.allocations,
            refusals=lambda: self.refusals,
            policy=lambda: NodePolicy(self.rules, self.namespace, lambda: ["plant", "1000"]),
            warn=self.warnings.append,
            clock=lambda: self.now,
        )

    @property
    def core(self):
        return self.board.cores[0]

    def create(self, container_id="c1", firmware="hello.elf", **annotations):
        request = CreateRequest(
            id=container_id,
            bundle="/b",
            rootfs="/b/rootfs",
            cwd="/",
            entry=firmware,
            annotations={f"remoteproc.{k.replace('_', '-')}": v for k, v in annotations.items()},
        )
        return self.lifecycle.create(request, Stdio())

    def running(self, container_id="c1", firmware="hello.elf", **annotations):
        container = self.create(container_id, firmware, **annotations)
        self.lifecycle.start(container_id)
        return container

    def in_(self, status):
        """Bring a container into a status by the use cases."""
        container = self.create("c1")
        if status is not Status.CREATED:
            self.lifecycle.start("c1")
        if status is Status.PAUSED:
            self.lifecycle.pause("c1")
        if status is Status.STOPPED:
            self.lifecycle.kill("c1", 15)
        return container

    def status(self, container_id="c1"):
        return self.lifecycle.state(container_id).status

    def nothing_left(self):
        shelf = self.store.shelf
        assert shelf.containers == {} and shelf.drafts == set()
        assert [s for s in self.supervisors.all.values() if s.alive] == []
        assert self.leases.held == {} and self.leases.left_behind == {}
        assert [(c.power, c.loaded) for c in self.board.cores] == [(OFFLINE, "")] * len(
            self.board.cores
        )
        return True


@pytest.fixture
def world():
    return World()


def test_a_whole_life(world):
    container = world.create(name="m4")
    assert world.status() is Status.CREATED
    assert (container.processor, container.device, container.created) == ("m4", "remoteproc0", NOW)
    assert container.firmware.path == "memory:/c1/firmware", "where it is once it is committed"
    assert container.annotations == {"remoteproc.name": "m4"}
    assert world.core.power == OFFLINE and world.core.loaded == "", "create changes no hardware"
    world.lifecycle.start("c1")
    assert world.status() is Status.RUNNING
    assert world.core.power == RUNNING
    world.lifecycle.kill("c1", 15)
    assert world.status() is Status.STOPPED
    assert world.lifecycle.state("c1").exit.status == 0
    world.lifecycle.delete("c1")
    assert world.nothing_left()


# --- create ---------------------------------------------------------------------------------


def steps():
    injector = FaultInjector()
    World(injector=injector).create()
    return injector.calls


STEPS = steps()


def test_create_asks_every_port():
    ports = {step.partition(".")[0] for step in STEPS}
    assert ports >= {"store", "board", "source", "supervisors", "leases", "draft", "processor"}


@pytest.mark.parametrize("error", [HostFault("no", errno=28), KeyboardInterrupt(), OSError(5, "x")])
@pytest.mark.parametrize("at", range(len(STEPS)), ids=STEPS)
def test_create_undoes_itself_whatever_step_fails(at, error):
    world = World(injector=FaultInjector(at, error))
    with pytest.raises(type(error)) as raised:
        world.create()
    assert raised.value is error, "the reason comes through"
    assert world.nothing_left()
    world.create()  # and the id is free
    assert world.status() is Status.CREATED


def test_no_two_containers_of_one_id(world):
    world.running()
    with pytest.raises(AlreadyExists):
        world.create()
    assert world.status() is Status.RUNNING, "the first one is not touched"
    assert len(world.supervisors.all) == 1
    assert len(world.store.shelf.drafts) == 0


def test_an_id_taken_while_creating(world):
    """Another process commits the same id between this process's draft and its commit."""
    rival = world.store.draft("c1")
    theirs = World().create()._replace(pid=77)
    staged = world.source.stage

    def stage(*args):
        rival.commit(theirs)
        rival.close()
        return staged(*args)

    world.source.stage = stage
    with pytest.raises(AlreadyExists):
        world.create()
    assert world.store.load("c1") == theirs, "theirs stays"
    assert [s for s in world.supervisors.all.values() if s.alive] == []


@pytest.mark.parametrize("container_id", ["", ".", "..", "a/b", "x" * 201])
def test_a_bad_id_is_refused_before_anything_is_done(container_id):
    injector = FaultInjector()
    with pytest.raises(InvalidRequest):
        World(injector=injector).create(container_id)
    assert injector.calls == []


@pytest.mark.parametrize(
    ("annotations", "firmware", "error"),
    [
        ({"nmae": "m4"}, "hello.elf", InvalidRequest),
        ({"name": "m7"}, "hello.elf", NotFound),
        ({}, "absent.elf", NotFound),
        ({"firmware_digest": "sha256:" + "0" * 64}, "hello.elf", FirmwareUnfit),
    ],
)
def test_wrong_wishes(world, annotations, firmware, error):
    with pytest.raises(error):
        world.create("c1", firmware, **annotations)
    assert world.nothing_left()


def test_firmware_that_does_not_fit():
    world = World(fits=lambda image: False)
    with pytest.raises(FirmwareUnfit):
        world.create()
    assert world.nothing_left()


def test_the_right_digest(world):
    digest = world.source.stage(ImageFiles("", ""), "hello.elf", "").digest
    assert world.create(firmware_digest=digest).firmware.digest == digest


@pytest.mark.parametrize("name", ["m7", "remoteproc1"])
def test_the_processor_that_is_named(name):
    world = World("m4", "m7")
    assert world.running(name=name).device == "remoteproc1"
    assert [core.power for core in world.board.cores] == [OFFLINE, RUNNING]


INFOS = [
    ProcessorInfo("m4", "remoteproc0", OFFLINE),
    ProcessorInfo("m7", "remoteproc1", RUNNING),
    ProcessorInfo("dsp", "remoteproc2", OFFLINE),
    ProcessorInfo("dsp", "remoteproc3", OFFLINE),
    # One whose driver calls it as the kernel calls another.
    ProcessorInfo("remoteproc1", "remoteproc4", OFFLINE),
]

IMX8QM = [
    ProcessorInfo("imx-rproc", f"remoteproc{1 - n}", OFFLINE, parent=f"imx8qm-cm4-{n}")
    for n in (0, 1)
]


@pytest.mark.parametrize(
    ("there", "wanted", "chosen"),
    [
        (INFOS[:1], "", 0),
        (INFOS[:1], "m4", 0),
        (INFOS[:2], "m4", 0),
        (INFOS[:2], "m7", 1),
        (INFOS[:2], "remoteproc1", 1),
        (INFOS, "remoteproc3", 3),
        ([], "", (NotFound, "no remote processors", "backend")),
        ([], "m4", (NotFound, "no remote processors", "backend")),
        (INFOS[:2], "", (InvalidRequest, "m4 (remoteproc0), m7 (remoteproc1)", "remoteproc.name")),
        (INFOS[:2], "x", (NotFound, "no processor x", "m4 (remoteproc0), m7 (remoteproc1)")),
        (INFOS[:2], "M4", (NotFound, "no processor M4", "m4")),
        (INFOS, "dsp", (InvalidRequest, "several", "remoteproc2 or remoteproc3")),
        (INFOS, "remoteproc1", (InvalidRequest, "several", "remoteproc1 or remoteproc4")),
        (IMX8QM, "imx8qm-cm4-1", 1),
        (IMX8QM, "imx-rproc", (InvalidRequest, "several", "imx8qm-cm4-0 or imx8qm-cm4-1")),
    ],
)
def test_choose(there, wanted, chosen):
    if isinstance(chosen, int):
        assert choose(there, wanted) is there[chosen]
        return
    kind, message, hint = chosen
    with pytest.raises(kind) as refused:
        choose(there, wanted)
    assert message in refused.value.message
    assert hint in refused.value.hint


# --- what is legal when ---------------------------------------------------------------------

STATUSES = [Status.CREATED, Status.RUNNING, Status.PAUSED, Status.STOPPED]
OPERATIONS = {
    "start": lambda lifecycle: lifecycle.start("c1"),
    "kill": lambda lifecycle: lifecycle.kill("c1", 9),
    "term": lambda lifecycle: lifecycle.kill("c1", 15),
    "hup": lambda lifecycle: lifecycle.kill("c1", 1),
    "pause": lambda lifecycle: lifecycle.pause("c1"),
    "resume": lambda lifecycle: lifecycle.resume("c1"),
    "delete": lambda lifecycle: lifecycle.delete("c1"),
    "delete --force": lambda lifecycle: lifecycle.delete("c1", force=True),
    "state": lambda lifecycle: lifecycle.state("c1"),
    "directory": lambda lifecycle: lifecycle.directory("c1"),
    "exec": lambda lifecycle: lifecycle.exec("c1", ["status"]),
    "wait": lambda lifecycle: lifecycle.wait("c1"),
}
C, R, P, S, GONE = *STATUSES, None
AFTER: dict[str, dict[Status, object]] = {
    #         created running paused stopped; WrongState where a word is missing
    "start": {C: R},
    "kill": {C: S, R: S, P: S},
    "term": {C: S, R: S, P: S},
    "hup": {C: C, R: R, P: P},
    "pause": {R: P},
    "resume": {P: R},
    "delete": {S: GONE},
    "delete --force": {C: GONE, R: GONE, P: GONE, S: GONE},
    "state": {C: C, R: R, P: P, S: S},
    "directory": {C: C, R: R, P: P, S: S},
    "exec": {C: C, R: R, P: P},
}


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("operation", AFTER)
def test_every_operation_in_every_status(world, operation, before):
    world.in_(before)
    if before not in AFTER[operation]:
        with pytest.raises(WrongState):
            OPERATIONS[operation](world.lifecycle)
        assert world.status() is before
        return
    OPERATIONS[operation](world.lifecycle)
    after = AFTER[operation][before]
    if after is GONE:
        assert world.nothing_left()
    else:
        assert world.status() is after
        assert (world.core.power in (RUNNING, SUSPENDED)) == (after in (R, P))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_on_no_container(world, operation):
    if operation == "delete --force":
        OPERATIONS[operation](world.lifecycle)  # it is gone, which is what was wanted
        return
    with pytest.raises(NotFound):
        OPERATIONS[operation](world.lifecycle)


# --- start ----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["check", "plan_claim", "load", "start"])
def test_a_start_that_fails_tells_why_and_can_be_tried_again(world, step):
    world.create()
    fault = world.core.faults[step] = ProcessorFault("the kernel says no", errno=22)
    with pytest.raises(ProcessorFault) as raised:
        world.lifecycle.start("c1")
    assert raised.value is fault
    assert world.refusals.told == [("remoteproc0", fault)]
    assert world.status() is Status.CREATED
    assert world.leases.held == {} and world.core.power == OFFLINE
    world.core.faults.clear()
    world.lifecycle.start("c1")
    assert world.status() is Status.RUNNING
    assert len(world.refusals.told) == 1


def test_a_processor_has_one_owner_and_the_second_start_says_whose_it_is(world):
    world.running("first")
    world.create("second")
    with pytest.raises(Busy, match="first"):
        world.lifecycle.start("second")
    assert world.status("first") is Status.RUNNING
    world.lifecycle.kill("first", 15)
    world.lifecycle.start("second")
    assert world.status("second") is Status.RUNNING


@pytest.mark.parametrize("word", ["running", "attached", "crashed", "suspended", "dreaming"])
def test_a_processor_that_somebody_else_started_is_left_alone(world, word):
    world.create()
    world.core.power = ProcessorState(word)
    with pytest.raises(Busy, match=word):
        world.lifecycle.start("c1")
    assert world.core.power == word and "stop" not in world.core.done
    world.lifecycle.delete("c1", force=True)
    assert world.core.power == word


# --- kill -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), [(15, 0), (2, 0), (9, 137), (11, 137)])
def test_the_exit_status_of_a_kill(world, number, status):
    world.running()
    world.lifecycle.kill("c1", number)
    assert world.lifecycle.wait("c1").status == status
    assert world.core.power == OFFLINE


def test_the_images_own_stop_signal(world):
    container = world.create()
    image = {"org.opencontainers.image.stopSignal": "SIGQUIT"}
    world.store.mark("c1", annotations=image)
    world.lifecycle.start("c1")
    world.lifecycle.kill("c1", 3)
    assert world.lifecycle.state("c1").exit.status == 0
    assert not world.supervisors.alive(container)


@pytest.mark.parametrize(("status", "reason"), [(137, "its supervisor was killed"), (0, "")])
def test_the_status_that_a_parent_saw_counts_where_none_is_recorded(world, status, reason):
    container = world.running()
    world.supervisors.crash(container)
    exit_ = world.lifecycle.state("c1", status).exit
    assert exit_.status == status and reason in exit_.reason
    assert world.lifecycle.state("c1").exit == exit_


def test_a_stop_that_the_processor_refuses(world):
    world.running()
    world.core.faults["stop"] = ProcessorFault("busy", errno=16)
    for number in (15, 9):
        with pytest.raises(ProcessorFault):
            world.lifecycle.kill("c1", number)
    assert world.status() is Status.RUNNING
    world.core.faults.clear()
    world.lifecycle.kill("c1", 9)
    assert world.status() is Status.STOPPED


def test_killing_one_that_ends_at_this_moment(world):
    container = world.running(firmware="exit.elf")
    asked = world.supervisors.ask

    def ask(container, verb):
        world.supervisors.all[container.pid].look()
        asked(container, verb)

    world.supervisors.ask = ask
    world.lifecycle.kill("c1", 15)
    assert world.lifecycle.state("c1").exit.status == 7, "how it really ended"
    assert not world.supervisors.alive(container)


def test_killing_one_whose_supervisor_dies_at_this_moment(world):
    """The processor is off on return all the same."""
    world.running()
    asked = world.supervisors.ask

    def ask(container, verb):
        world.supervisors.crash(container)
        asked(container, verb)

    world.supervisors.ask = ask
    world.lifecycle.kill("c1", 15)
    assert world.core.power == OFFLINE and world.leases.left_behind == {}
    assert world.lifecycle.state("c1").exit.status == 137


def test_a_supervisor_that_does_not_answer(world):
    """The kernel does not return: TERM fails and says so, KILL ends all of it."""
    container = world.running()
    world.supervisors.stuck.add(container.pid)
    with pytest.raises(Busy):
        world.lifecycle.kill("c1", 15)
    assert world.status() is Status.RUNNING
    world.lifecycle.kill("c1", 9)
    assert world.lifecycle.state("c1").exit == Exit(137, NOW, "its supervisor was killed")
    assert world.core.power == OFFLINE
    world.lifecycle.delete("c1")
    assert world.nothing_left()


# --- firmware that ends by itself -----------------------------------------------------------


@pytest.mark.parametrize(("firmware", "status"), [("exit.elf", 7), ("crash.elf", 139)])
def test_an_end_of_its_own(world, firmware, status):
    container = world.running(firmware=firmware)
    assert world.lifecycle.wait("c1").status == status
    assert world.status() is Status.STOPPED
    assert world.core.power == OFFLINE, "a crashed processor is off after its release"
    assert any("m4" in text for text in world.supervisors.all[container.pid].said)
    world.lifecycle.delete("c1")
    assert world.nothing_left()


def test_scripted_states(world):
    container = world.running()
    supervisor = world.supervisors.all[container.pid]
    for word in ("running", "dreaming", "dreaming", "suspended", "running"):
        world.core.script = [word]
        supervisor.look()
        assert world.status() is Status.RUNNING, word
    assert supervisor.said == ["m4: state dreaming is unknown here; taken as active"]
    world.core.script = ["deleted"]
    supervisor.look()
    assert world.status() is Status.STOPPED


# --- delete ---------------------------------------------------------------------------------


def test_a_stopped_container_whose_supervisor_lingers_is_not_deleted(world):
    world.running()
    world.store.record_exit("c1", Exit(0, NOW))
    with pytest.raises(HostFault, match="has not ended"):
        world.lifecycle.delete("c1")
    assert world.lifecycle.state("c1")


def test_force_on_one_that_ends_at_this_moment(world):
    """The container runs when `delete` reads its state, and has ended when `delete` kills it."""
    container = world.running(firmware="exit.elf")
    alive = world.supervisors.alive

    def last_look(container):
        try:
            return alive(container)
        finally:
            if alive(container):
                world.supervisors.all[container.pid].look()

    world.supervisors.alive = last_look
    world.lifecycle.delete("c1", force=True)
    assert not alive(container)
    assert world.nothing_left()


def test_force_when_the_processor_cannot_be_stopped(world):
    world.running()
    world.core.faults["stop"] = ProcessorFault("busy", errno=16)
    with pytest.raises(ProcessorFault):
        world.lifecycle.delete("c1", force=True)
    assert world.status() is Status.RUNNING, "not forgotten while it runs"


# --- exec -----------------------------------------------------------------------------------


def test_exec_answers_from_the_containers_record_and_files(world):
    world.running()
    assert world.lifecycle.exec("c1", ["status"]) == (0, b"running on m4 (remoteproc0)\n", b"")
    assert world.lifecycle.exec("c1", ["logs"]) == (0, b"", b"")
    world.store.shelf.files["c1", "log"] = b"hello\n"
    assert world.lifecycle.exec("c1", ["logs"]) == (0, b"hello\n", b"")
    forged, ours = b"remoteproc-runtime: all is well\n", b"remoteproc-runtime: crashed\n"
    world.store.shelf.files["c1", "log"] = forged + b"\0" + ours
    assert world.lifecycle.exec("c1", ["trace"]) == (0, forged, b"")
    assert world.lifecycle.exec("c1", ["logs"]) == (0, forged, ours)
    world.store.shelf.files["c1", "log"] = b"\0" + ours
    assert world.lifecycle.exec("c1", ["trace"]).code == 1, "the firmware has printed nothing"
    world.store.shelf.last_output["c1"] = NOW - 5
    assert world.lifecycle.exec("c1", ["printed-within", "6"]).code == 0
    assert world.lifecycle.exec("c1", ["printed-within", "4"]).code == 1
    world.lifecycle.kill("c1", 15)
    with pytest.raises(WrongState, match="cannot exec in container c1: it is stopped"):
        world.lifecycle.exec("c1", ["status"])


# --- pause ----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["pause"])
def test_a_processor_that_cannot_be_paused(operation):
    world = World(kind=UnpausableProcessor)
    world.running()
    why = "cannot pause processor m4: the kernel has no way to freeze a processor"
    with pytest.raises(Unsupported, match=why):
        getattr(world.lifecycle, operation)("c1")
    assert world.status() is Status.RUNNING


@pytest.mark.parametrize("status", [Status.CREATED, Status.RUNNING, Status.PAUSED, Status.STOPPED])
def test_limits_can_be_changed_as_long_as_there_are_processes(world, status):
    world.in_(status)
    if status is Status.STOPPED:
        with pytest.raises(WrongState, match="cannot update container c1: it is stopped"):
            world.lifecycle.update("c1", {"pids.limit": 5})
        assert world.groups.limits == {}
    else:
        world.lifecycle.update("c1", {"pids.limit": 5})
        assert world.groups.limits == {"c1": {"pids.limit": 5}}


# --- the dead -------------------------------------------------------------------------------


def refused(operation, *args):
    with pytest.raises(WrongState):
        operation(*args)


TOUCHES = {
    "state": lambda lifecycle: lifecycle.state("c1"),
    "all": lambda lifecycle: lifecycle.all(),
    "processors": lambda lifecycle: lifecycle.processors(),
    "wait": lambda lifecycle: lifecycle.wait("c1"),
    "reap_stale": lambda lifecycle: lifecycle.reap_stale(),
    "delete": lambda lifecycle: lifecycle.delete("c1"),
    "delete --force": lambda lifecycle: lifecycle.delete("c1", force=True),
    "start": lambda lifecycle: refused(lifecycle.start, "c1"),
    "kill": lambda lifecycle: refused(lifecycle.kill, "c1", 15),
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_after_a_killed_supervisor_the_next_touch_stops_the_processor(world, touch):
    container = world.running()
    world.supervisors.crash(container)
    assert world.core.power == RUNNING
    TOUCHES[touch](world.lifecycle)
    assert world.core.power == OFFLINE and world.core.loaded == ""
    assert world.leases.left_behind == {}
    if touch.startswith("delete"):
        assert world.nothing_left()
    else:
        assert world.lifecycle.state("c1").exit == Exit(137, NOW, "its supervisor was killed")


@pytest.mark.parametrize("status", [Status.CREATED, Status.RUNNING, Status.PAUSED])
def test_a_container_without_its_supervisor_is_stopped(world, status):
    container = world.in_(status)
    world.supervisors.crash(container)
    assert world.lifecycle.state("c1").exit.status == 137
    assert [row.status for row in world.lifecycle.all()] == [Status.STOPPED]
    assert world.store.load("c1").exit.status == 137, "it is on record"


def test_an_exit_on_record_is_not_overwritten(world):
    container = world.running()
    first = world.store.record_exit("c1", Exit(7, 1.0, "exit code 7"))
    world.supervisors.crash(container)
    assert world.lifecycle.state("c1").exit == first


def test_an_exit_recorded_between_our_look_and_our_record(world):
    """The supervisor ends after `state` loaded the record, before it looks for the process."""
    container = world.running(firmware="exit.elf")
    alive = world.supervisors.alive

    def late(container):
        if alive(container):
            world.supervisors.all[container.pid].look()
        return alive(container)

    world.supervisors.alive = late
    assert world.lifecycle.state("c1").exit.status == 7
    assert not alive(container)


def stale(world, claim, owner="dead"):
    lease = world.leases.acquire("remoteproc0", Owner(owner, "memory:"))
    lease.record_claim(claim)
    world.leases.owner_died(owner)


def test_what_cannot_be_cleaned_up_is_said_and_tried_again(world):
    stale(world, {"firmware": "x"})
    world.core.faults["release"] = ProcessorFault("busy", errno=16)
    tried = []
    for seconds in (0.0, 0.5, 1.0, 2.0, 3.0, 10.0):
        world.now = NOW + seconds
        world.lifecycle.reap_stale()
        tried.append(world.leases.left_behind["remoteproc0"].refusal.tries)
    assert tried == [1, 1, 2, 2, 3, 4], "after pauses that grow"
    assert world.warnings == ["cannot clean up after dead: busy"], "it is said once"
    assert set(world.leases.left_behind) == {"remoteproc0"}
    world.core.faults.clear()
    world.lifecycle.reap_stale(insist="remoteproc0")
    assert world.leases.left_behind == {} and len(world.warnings) == 1


@pytest.mark.parametrize("number", [9, 15])
def test_a_kill_while_another_process_stops_the_processor(world, number):
    """It has locked the lease of the dead supervisor, and waits for the driver."""
    world.supervisors.crash(world.running())
    lease = next(others := world.leases.stale())
    left, looks = world.leases.left, []

    def left_until_the_other_process_is_done(device):
        looks.append(device)
        if len(looks) == 4:
            world.board.reclaim(device, lease.claim)
            lease.release()
        return left(device)

    world.leases.left = left_until_the_other_process_is_done
    world.lifecycle.kill("c1", number)
    others.close()
    assert len(looks) >= 4 and world.status() is Status.STOPPED


def killed_while_the_driver_refuses(world):
    """A container whose supervisor was killed, on a processor that its driver does not stop."""
    container = world.running()
    world.core.faults["release"] = ProcessorFault("cannot stop m4: EBUSY", errno=16)
    world.supervisors.crash(container)


def test_a_container_whose_processor_cannot_be_stopped_has_not_ended(world):
    killed_while_the_driver_refuses(world)
    assert world.status() is Status.RUNNING
    for operation in (
        lambda: world.lifecycle.kill("c1", 15),
        lambda: world.lifecycle.kill("c1", 9),
        lambda: world.lifecycle.delete("c1", force=True),
    ):
        with pytest.raises(ProcessorFault, match=r"cannot stop m4: EBUSY; .*release --force m4"):
            operation()
        assert world.status() is Status.RUNNING
    with pytest.raises(WrongState, match="it is running"):
        world.lifecycle.delete("c1")
    (row,) = world.lifecycle.processors()
    assert row.owner.id == "c1" and "left running by c1" in row.info.note
    assert "cannot stop m4: EBUSY" in row.info.note
    world.core.faults.clear()
    world.lifecycle.kill("c1", 15)
    assert world.lifecycle.state("c1").exit.status == 137 and world.core.power == OFFLINE
    world.lifecycle.delete("c1")
    assert world.nothing_left()


def test_the_next_start_names_who_left_the_processor_running(world):
    killed_while_the_driver_refuses(world)
    world.create("c2")
    with pytest.raises(
        ProcessorFault, match=r"m4 still runs what container c1 left there: .*EBUSY"
    ):
        world.lifecycle.start("c2")
    (row,) = world.lifecycle.processors()
    assert row.owner.id == "c1"
    assert world.status("c2") is Status.CREATED


def test_an_operator_gives_up_what_cannot_be_stopped(world):
    killed_while_the_driver_refuses(world)
    with pytest.raises(ProcessorFault, match="release --force gives it up"):
        world.lifecycle.release("m4")
    world.lifecycle.release("m4", force=True)
    assert world.status() is Status.STOPPED and world.core.power == RUNNING
    world.lifecycle.delete("c1")
    with pytest.raises(NotFound, match="no container has processor m4"):
        world.lifecycle.release("m4")


def test_an_operator_ends_a_living_container_that_cannot_be_stopped(world):
    world.running()
    for verb in ("stop", "release"):
        world.core.faults[verb] = ProcessorFault("cannot stop m4: EBUSY", errno=16)
    with pytest.raises(Busy, match="belongs to container c1, which lives"):
        world.lifecycle.release("m4")
    world.lifecycle.release("remoteproc0", force=True)
    assert world.status() is Status.STOPPED and world.core.power == RUNNING


def test_release_stops_what_can_be_stopped(world):
    world.supervisors.crash(world.running())
    world.lifecycle.release("m4")
    assert world.core.power == OFFLINE and world.status() is Status.STOPPED


def test_a_start_that_cannot_undo_what_a_dead_owner_claimed_keeps_the_claim(world):
    world.create()
    world.core.faults["release"] = ProcessorFault("busy", errno=16)
    stale(world, {"firmware": "x"})
    with pytest.raises(ProcessorFault, match="busy"):
        world.lifecycle.start("c1")
    assert world.leases.held["remoteproc0"].claim == {"firmware": "x"}
    world.core.faults.clear()
    world.lifecycle.start("c1")
    assert world.status() is Status.RUNNING


def test_a_start_that_cannot_be_undone_leaves_the_processor_its_owner(world):
    """Only the supervisor can undo it: nobody takes the processor for free meanwhile."""
    container = world.create()
    world.create("c2")
    world.core.faults["start"] = world.core.faults["release"] = ProcessorFault("busy", errno=16)
    with pytest.raises(ProcessorFault):
        world.lifecycle.start("c1")
    assert world.leases.owner("remoteproc0").id == "c1"
    with pytest.raises(Busy, match="c1"):
        world.lifecycle.start("c2")
    world.core.faults.clear()
    world.lifecycle.delete("c1", force=True)
    assert not world.supervisors.alive(container) and world.leases.left_behind == {}
    world.lifecycle.start("c2")


def test_what_cannot_be_cleaned_up_does_not_keep_others_from_it():
    world = World("m4", "m7")
    world.core.faults["release"] = ProcessorFault("busy", errno=16)
    for device in ("remoteproc0", "remoteproc1"):
        world.leases.acquire(device, Owner("dead", "")).record_claim({"firmware": "x"})
        world.leases.owner_died("dead")
    world.lifecycle.reap_stale()
    assert set(world.leases.left_behind) == {"remoteproc0"}


def test_a_dead_owner_of_a_processor_that_is_gone(world):
    world.leases.acquire("remoteproc9", Owner("dead", "")).record_claim({"firmware": "x"})
    world.leases.owner_died("dead")
    world.lifecycle.reap_stale()
    assert world.leases.left_behind == {} and world.warnings == []


def test_an_owner_that_died_before_it_had_done_anything(world):
    """The claim is empty: nothing is to be undone, so no board is made."""
    stale(world, {})
    world.lifecycle.reap_stale()
    assert world.leases.left_behind == {} and world.warnings == []
    assert world.boards_made == 0 and "release" not in world.core.done


def test_a_running_container_of_somebody_else_is_not_touched(world):
    world.running()
    world.lifecycle.reap_stale()
    assert world.core.power == RUNNING and "release" not in world.core.done


# --- a pod's sandbox ------------------------------------------------------------------------


def test_a_sandbox_has_a_life_without_a_processor():
    world = World("m4", "m7")
    container = world.create("pod", "", name="absent")
    assert (container.processor, container.device, container.firmware) == ("", "", None)
    world.lifecycle.start("pod")
    world.supervisors.all[container.pid].look()
    assert world.status("pod") is Status.RUNNING
    assert world.leases.held == {} and world.boards_made == 0
    world.lifecycle.kill("pod", 15)
    assert world.lifecycle.wait("pod").status == 0
    world.lifecycle.delete("pod")
    assert world.nothing_left()


# --- lists ----------------------------------------------------------------------------------


def test_all(world):
    assert world.lifecycle.all() == []
    world.running("b")
    world.create("a")
    assert [(c.id, c.status) for c in world.lifecycle.all()] == [("a", C), ("b", R)]


def test_all_while_one_is_deleted(world):
    world.create("a")
    world.create("b")
    listed = world.store.ids()
    world.lifecycle.delete("a", force=True)
    world.store.ids = lambda: listed
    assert [c.id for c in world.lifecycle.all()] == ["b"]


def test_all_with_one_that_cannot_be_read(world):
    world.create("a")
    world.create("b")
    load = world.store.load

    def damaged(container_id):
        if container_id == "a":
            raise HostFault("the state of container a is damaged")
        return load(container_id)

    world.store.load = damaged
    assert [c.id for c in world.lifecycle.all()] == ["b"]
    assert world.warnings == ["the state of container a is damaged"]


def test_processors():
    world = World("m4", "m7")
    world.running("c1", name="m7")
    rows = world.lifecycle.processors()
    found = [(r.info.name, r.info.state, r.owner and r.owner.id) for r in rows]
    assert found == [
        ("m4", OFFLINE, None),
        ("m7", RUNNING, "c1"),
    ]


def test_operations_that_need_no_hardware_make_no_board(world):
    world.in_(Status.STOPPED)
    world.boards_made = 0
    world.lifecycle.state("c1")
    world.lifecycle.all()
    world.lifecycle.wait("c1")
    world.lifecycle.delete("c1")
    assert world.boards_made == 0


def test_errors_are_the_domains_own(world):
    """The fakes, too, raise nothing but what the ports name."""
    for attempt in (world.lifecycle.state, world.lifecycle.start, world.lifecycle.directory):
        with pytest.raises(RemoteprocError):
            functools.partial(attempt, "absent")()


KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
HOOKS = {kind: (Hook(f"/{kind}", ()), Hook(f"/{kind}/2", ())) for kind in KINDS}


@pytest.fixture
def hooked():
    """A world whose containers have two hooks of each kind."""
    world = World()
    world.request = CreateRequest("c1", "/b", "/b/rootfs", "/", "hello.elf", {}, hooks=HOOKS)
    return world


def ran(world):
    return [(path, status) for _, path, status in world.hooks.ran]


def both(kind, status):
    return [(f"/{kind}", status), (f"/{kind}/2", status)]


def test_hooks_run_in_their_moment(hooked):
    hooked.lifecycle.create(hooked.request, Stdio())
    created = [each for kind in KINDS[:3] for each in both(kind, "creating")]
    assert ran(hooked) == created
    hooked.lifecycle.start("c1")
    started = [*both("startContainer", "created"), *both("poststart", "running")]
    assert ran(hooked) == created + started
    hooked.lifecycle.kill("c1", 15)
    hooked.lifecycle.delete("c1")
    assert ran(hooked) == [*created, *started, *both("poststop", "stopped")]
    hooked.nothing_left()


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_hook_that_fails_in_create_leaves_nothing(hooked, kind):
    hooked.hooks.failing.add(f"/{kind}")
    with pytest.raises(HostFault, match=f"{kind} hook"):
        hooked.lifecycle.create(hooked.request, Stdio())
    hooked.nothing_left()
    assert (f"/{kind}/2", "creating") not in ran(hooked)
    assert ran(hooked)[-2:] == both("poststop", "stopped")


def test_a_hook_that_fails_in_start_destroys(hooked):
    hooked.lifecycle.create(hooked.request, Stdio())
    hooked.hooks.failing.add("/startContainer")
    with pytest.raises(HostFault, match="startContainer hook"):
        hooked.lifecycle.start("c1")
    hooked.nothing_left()
    assert ran(hooked)[-2:] == both("poststop", "stopped")


def test_hooks_whose_failure_is_a_warning(hooked):
    hooked.hooks.failing |= {"/poststart", "/poststop"}
    hooked.lifecycle.create(hooked.request, Stdio())
    hooked.lifecycle.start("c1")
    assert hooked.status() is Status.RUNNING
    hooked.lifecycle.delete("c1", force=True)
    assert ran(hooked)[-2:] == both("poststop", "stopped")
    assert [text.split()[0] for text in hooked.warnings] == ["poststart", "poststop"]
    hooked.nothing_left()


def test_no_hook_runs_for_a_refused_container(hooked):
    hooked.lifecycle.create(hooked.request, Stdio())
    before = ran(hooked)
    with pytest.raises(AlreadyExists):
        hooked.lifecycle.create(hooked.request, Stdio())
    assert ran(hooked) == before


# --- the node's policy ----------------------------------------------------------------------


def digest_of(world):
    digest = world.create("first").firmware.digest
    world.lifecycle.delete("first", force=True)
    return digest


@pytest.mark.parametrize(
    "rules",
    [
        {"users": ["root"]},
        {"require": "digest", "digests": [f"sha256:{'0' * 64}"]},
        {"require": "signature", "keys": ["/nowhere/key.pem"]},
    ],
)
def test_what_the_policy_forbids_leaves_nothing(rules):
    world = World()
    world.rules["m4"] = rules
    with pytest.raises(Forbidden, match=r"m4|not signed"):
        world.create()
    assert world.nothing_left()


def test_what_the_policy_allows_is_created():
    world = World()
    digest = digest_of(world)
    world.rules["m4"] = {"users": ["plant"], "require": "digest", "digests": [digest]}
    world.running()
    assert world.status() is Status.RUNNING


def test_attached_and_coredump_are_forbidden_by_default():
    world = World()
    for annotation in ({"attached": "take"}, {"coredump": "enabled"}, {"recovery": "kernel"}):
        with pytest.raises(Forbidden, match="is not allowed for processor m4"):
            world.create(**annotation)
    world.rules["*"] = {"annotations": {"coredump": ["enabled"]}}
    world.create(coredump="enabled")


def test_a_sandbox_needs_no_leave():
    world = World()
    world.rules["*"] = {"users": ["root"]}
    assert world.create(firmware="").processor == ""


def test_what_the_kernel_killed_for_want_of_memory_is_recorded_as_that(world):
    world.supervisors.crash(world.running())
    world.groups.killed["c1"] = "out of memory"
    ended = world.lifecycle.state("c1").exit
    assert ended == Exit(137, NOW, "out of memory", out_of_memory=True)
    with pytest.raises(WrongState, match="uses nothing any more"):
        world.lifecycle.usage("c1")


def test_a_start_waits_for_a_busy_processor_as_long_as_the_operator_said(world):
    world.running()
    world.create("c2")
    with pytest.raises(Busy):
        world.lifecycle.start("c2")
    world.waits["m4"] = 0.3
    with pytest.raises(Busy):
        world.lifecycle.start("c2")
    assert world.warnings == ["processor m4 belongs to container c1: waiting up to 0.3 s"], (
        "said once"
    )
    world.waits["m4"] = 20.0
    timer = threading.Timer(0.3, lambda: world.lifecycle.kill("c1", 15))
    timer.start()
    world.lifecycle.start("c2")
    timer.join()
    assert world.status("c2") is Status.RUNNING


def test_a_create_waits_for_a_processor_that_is_absent(world):
    cores, world.board.cores = world.board.cores, []
    with pytest.raises(NotFound):
        world.create()
    world.waits["m4"] = 20.0
    timer = threading.Timer(0.3, lambda: setattr(world.board, "cores", cores))
    timer.start()
    world.create(name="m4")
    timer.join()
    assert world.status() is Status.CREATED


def test_a_supervisor_that_the_kernel_kills_at_the_start_is_told_as_that(world):
    """It has recorded its claim by then, which must be undone before the container has ended."""
    container = world.create()

    def killed(_, operation):
        stale(world, {"firmware": "x"}, "c1")
        world.supervisors.crash(container)
        world.groups.killed["c1"] = "the kernel killed it: out of memory"
        raise SupervisorGone("its supervisor is gone")

    world.supervisors.ask = killed
    with pytest.raises(HostFault, match=r"cannot start container c1: .*out of memory; raise"):
        world.lifecycle.start("c1")
    assert world.status() is Status.STOPPED and world.leases.left_behind == {}


def test_a_start_of_what_an_earlier_killed_start_has_started_is_refused_at_once(world):
    """The supervisor runs the firmware, and the record does not say so yet."""
    world.create()

    def running(*_):
        raise WrongState("cannot start firmware on m3: it is running")

    world.supervisors.ask = running
    world.supervisors.wait = lambda *_: pytest.fail("it waits for the end of one that lives")
    with pytest.raises(WrongState, match="it is running"):
        world.lifecycle.start("c1")
