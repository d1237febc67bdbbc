"""The fault table: every operation, with every error at every system call on files that it makes,
of a command and of a supervisor, once and from that call on.

Whatever fails, no processor is without an owner, no false record is made, no answer is a lie, and
the next `delete --force` leaves nothing.
"""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from dependency_injector import providers

from adapters.linux.fork import fork
from adapters.state.exit_record import is_supervised
from bootstrap import programs
from bootstrap.container import Runtime
from bootstrap.settings import Settings
from domain import recovery
from domain.container import Status
from domain.creation import CreateRequest
from domain.errors import NotFound, RemoteprocError
from domain.ports import Board
from domain.stdio import Stdio
from tests.contract.backend_fixture import FIRMWARE, IdleBackendFixture
from tests.contract.fault_injection import COMMAND, DEATH, ERRORS, SUPERVISOR, Faults
from tests.contract.paper_kernel import PaperKernel

ROLES = {COMMAND: "command", SUPERVISOR: "supervisor"}
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
SETTLED_WITHIN = 20.0  # seconds, on a busy machine


class Outcome(NamedTuple):
    """How an operation went: `done` with its answer, `refused` with its error, `broken`, `dead`."""

    kind: str
    said: object = ""


class World:
    """A state directory and a board with one processor that counts: the first."""

    def __init__(self, kind: str) -> None:
        self.place = tempfile.mkdtemp(prefix="faults-", dir=FAST)
        settings = Settings(f"{self.place}/containers", f"{self.place}/run")
        self.paper = PaperKernel(f"{self.place}/kernel")
        self._undo = self.paper.install()
        self.board: Board = self.paper.board
        self.settings = settings._replace(backend="sysfs", tree=self.paper.root)
        if kind == "sim":
            idle = IdleBackendFixture(Path(self.place))
            self.board, self.settings = idle.board, idle.settings(settings)
        self.rootfs = f"{self.place}/rootfs"
        os.mkdir(self.rootfs)
        shutil.copy(FIRMWARE / "hello-traced.elf", f"{self.rootfs}/hello.elf")
        self.output = os.open(f"{self.place}/output", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        null = os.open(os.devnull, os.O_RDWR)
        self.stdio = Stdio(null, self.output, self.output)
        self.faults = Faults()
        self.warnings: list[str] = []
        self.before = self.snapshot()
        self._pause, recovery.FIRST_PAUSE = recovery.FIRST_PAUSE, 0.01  # else most tries wait
        graph = Runtime(
            settings=self.settings, warn=self.warnings.append, start_supervisor=self._start
        )
        graph.board.override(providers.Callable(lambda: self.board))
        self.lifecycle, self.leases = graph.lifecycle(), graph.leases()
        programs.load_supervisor()  # else each supervisor would import its modules
        gc.collect()
        gc.freeze()  # else each fork would copy the memory of this process when it collects

    def close(self) -> None:
        with suppress(RemoteprocError):  # there is one if a test has failed
            self.lifecycle.delete("c1", force=True)
        recovery.FIRST_PAUSE = self._pause
        self._undo()
        os.close(self.output)
        os.close(self.stdio.stdin)
        shutil.rmtree(self.place)

    def snapshot(self) -> object:
        return self.paper.snapshot(), self.board.processors()

    def _start(self, _: str, descriptors: object) -> int:
        def work() -> None:
            from bootstrap.supervise import main

            self.faults.install(SUPERVISOR)
            main()

        return fork(work, programs.supervisor_environment(), descriptors)  # type: ignore[arg-type]

    # --- what operations are made of ---

    def create(self, lifecycle):
        annotations = {"remoteproc.name": self.board.processors()[0].name}
        request = CreateRequest("c1", "/b", self.rootfs, "/", "hello.elf", annotations)
        return lifecycle.create(request, self.stdio).status

    def run(self, lifecycle):
        self.create(lifecycle)
        lifecycle.start("c1")

    def stop(self, lifecycle):
        self.run(lifecycle)
        lifecycle.kill("c1", 15)

    def pause(self, lifecycle):
        self.run(lifecycle)
        lifecycle.pause("c1")

    def kill_supervisor(self, lifecycle):
        self.run(lifecycle)
        container = lifecycle.state("c1")
        os.kill(container.pid, signal.SIGKILL)
        assert settled(lambda: not is_supervised(lifecycle.directory("c1")))

    def crash(self, lifecycle):
        """The firmware crashes: the supervisor ends by itself, at the latest after the faults."""
        (self.paper.place / "state").write_text("crashed\n")
        settled(lambda: lifecycle.state("c1").exit is not None, 0.5)

    def state_and_truth(self, lifecycle):
        """A dead supervisor's container runs as long as its processor does, and no longer."""
        status = lifecycle.state("c1").status
        self.faults.disarm()
        return "as it is" if (status is STOPPED) == self._is_off() else status

    # --- one attempt ---

    def attempt(self, operation: Operation, role: int, at: int, error: int, *, lasting: bool):
        """Prepare and try the operation in a process of its own."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                if not (operation.reads and os.path.exists(self._directory())):
                    operation.prepare(self, self.lifecycle)
                self.faults.install(COMMAND)
                self.faults.arm(role, at, error, lasting=lasting)
                outcome = _outcome(lambda: operation.run(self, self.lifecycle))
                self.faults.disarm()
                os.write(writer, pickle.dumps(outcome))
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            data = pipe.read()
        os.waitpid(pid, 0)
        self.faults.disarm()
        return pickle.loads(data) if data else Outcome("dead")

    def problems(self, operation: Operation, outcome: Outcome) -> list[str]:
        """Return what must not be, after an attempt; and delete all."""
        found = []
        if outcome.kind == "broken":
            found.append(f"broken: {outcome.said}")
        if outcome.kind == "refused" and not str(outcome.said).isprintable():
            found.append(f"not one line: {outcome.said!r}")
        with open(f"{self.place}/output", "rb") as file:
            if b"Traceback" in (text := file.read()):
                found.append(f"traceback: {text.decode()[-400:]}")
        os.truncate(self.output, 0)
        found += self._ownerless()
        found += self._lies(operation, outcome)
        return found if operation.reads and not found else found + self.left()

    def _ownerless(self) -> list[str]:
        for info in self.board.processors():
            if info.state != "offline" and self.leases.owner(info.device) is None:
                stale = [lease for lease in self.leases.stale() if lease.device == info.device]
                if not any(lease.claim for lease in stale):
                    return [f"{info.name} is {info.state} and has no owner"]
        return []

    def _lies(self, operation: Operation, outcome: Outcome) -> list[str]:
        """Compare the answer with what another command finds."""
        try:
            # A supervisor that could not read the state looks again.
            settled(lambda: self._status() not in ACTIVE or not self._is_off())
            if outcome.kind == "done":
                settled(lambda: self._status() in (*operation.after, STOPPED))
            status = self._status()
            exit_ = self.lifecycle.state("c1").exit if status else None
        except RemoteprocError as error:
            return [f"cannot be read afterwards: {error}"]
        found = []
        if status in ACTIVE and not settled(
            lambda: not (self._is_off() and self._status() in ACTIVE)
        ):
            found.append(f"{status}, but the processor is off")
        # A supervisor may be about to stop it. One that lives and could not undo a start owns it.
        kept = status is CREATED and self.leases.owner("remoteproc0") is not None
        if status not in ACTIVE and not kept and not settled(self._goes_off):
            found.append(f"{status}, but the processor is on")
        if exit_ is not None and not settled(lambda: not is_supervised(self._directory())):
            found.append(f"{exit_} is on record, and the supervisor lives")
        if exit_ is not None and exit_.status not in operation.exits:
            found.append(f"ended with {exit_.status} ({exit_.reason})")
        died = exit_ is not None and exit_.reason == "its supervisor was killed"
        if outcome.kind == "done" and status not in operation.after and not died:
            found.append(f"done, but it is {status}")
        if outcome.kind == "done" and operation.answer not in (None, outcome.said):
            found.append(f"said {outcome.said}")
        return found

    def _status(self) -> Status | None:
        try:
            return self.lifecycle.state("c1").status
        except NotFound:
            return None

    def _is_off(self) -> bool:
        return self.board.processors()[0].state == "offline"

    def _goes_off(self) -> bool:
        """What a supervisor has left, the next command stops."""
        self._status()
        return self._is_off()

    def _directory(self) -> str:
        return f"{self.settings.root}/c1"

    def left(self) -> list[str]:
        """Delete; return what is left."""
        trouble: list[str] = []

        def gone() -> bool:
            try:
                self.lifecycle.delete("c1", force=True)
                self.lifecycle.reap_stale()
            except RemoteprocError as error:
                trouble[:] = [str(error)]
                return False
            trouble[:] = self._files()
            return not trouble

        settled(gone)
        if self.snapshot() != self.before:
            trouble.append(f"the board is {self.snapshot()}")
        self.warnings.clear()
        return [f"left: {text}" for text in trouble]

    def _files(self) -> list[str]:
        found = []
        for top in (self.settings.root, self.settings.run_directory):
            for directory, _, names in os.walk(top):
                found += [f"{directory}/{name}" for name in names]
        return found + (os.listdir(self.settings.root) if os.path.isdir(self.settings.root) else [])


def settled(condition: Callable[[], bool], seconds: float = SETTLED_WITHIN) -> bool:
    """Wait for the condition: a supervisor that ends takes a moment."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _outcome(operation: Callable[[], object]) -> Outcome:
    try:
        return Outcome("done", operation())
    except RemoteprocError as error:
        return Outcome("refused", str(error))
    except BaseException as error:
        import traceback

        return Outcome("broken", f"{error!r} at {traceback.extract_tb(error.__traceback__)[-2:]}")


class Operation(NamedTuple):
    """An operation, what precedes it, and what must be so once it is done.

    `after`: the container's status then, None for no container; `answer`: what it must have
    answered; `exits`: the exit statuses that may be on record afterwards. `reads`: it changes
    nothing, so that all tries can be of one container.
    """

    prepare: Callable[..., object]
    run: Callable[..., object]
    after: tuple[Status | None, ...]
    answer: object = None
    exits: tuple[int, ...] = (137,)
    backends: tuple[str, ...] = ("sysfs", "sim")
    roles: tuple[int, ...] = (COMMAND,)
    reads: bool = False


BOTH = (COMMAND, SUPERVISOR)
CREATED, RUNNING, PAUSED, STOPPED = (
    *(Status.CREATED, Status.RUNNING, Status.PAUSED),
    Status.STOPPED,
)
ACTIVE = (RUNNING, PAUSED)
NOTHING = lambda *_: None  # noqa: E731
OPERATIONS = {
    "create": Operation(NOTHING, World.create, (CREATED,), CREATED, roles=BOTH),
    "start": Operation(World.create, lambda _, use: use.start("c1"), (RUNNING,), roles=BOTH),
    "state": Operation(
        World.run, lambda _, use: use.state("c1").status, (RUNNING,), RUNNING, reads=True
    ),
    "list": Operation(
        World.run,
        lambda _, use: [container.status for container in use.all()],
        (RUNNING,),
        [RUNNING],
        reads=True,
    ),
    "processors": Operation(
        World.run,
        lambda _, use: next(r.owner.id for r in use.processors()),
        (RUNNING,),
        "c1",
        reads=True,
    ),
    "pause": Operation(
        World.run, lambda _, use: use.pause("c1"), (PAUSED,), backends=("sim",), roles=BOTH
    ),
    "resume": Operation(
        World.pause, lambda _, use: use.resume("c1"), (RUNNING,), backends=("sim",), roles=BOTH
    ),
    "stop": Operation(
        World.run, lambda _, use: use.kill("c1", 15), (STOPPED,), exits=(0, 137), roles=BOTH
    ),
    "kill": Operation(World.run, lambda _, use: use.kill("c1", 9), (STOPPED,), roles=BOTH),
    "crash": Operation(
        *(World.run, World.crash, (STOPPED,)),
        exits=(139, 137),
        backends=("sysfs",),
        roles=(SUPERVISOR,),
    ),
    "delete": Operation(World.stop, lambda _, use: use.delete("c1"), (None,), exits=(0,)),
    "delete --force": Operation(
        World.run, lambda _, use: use.delete("c1", force=True), (None,), roles=BOTH
    ),
    "state after a death": Operation(
        World.kill_supervisor, World.state_and_truth, (STOPPED,), "as it is"
    ),
}
ROWS = [
    (backend, name, role)
    for name, operation in OPERATIONS.items()
    for backend in operation.backends
    for role in operation.roles
]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("backend", "name", "role"), ROWS, ids=[f"{n}-{b}-{ROLES[r]}" for b, n, r in ROWS]
)
def test_row(backend, name, role, record_property):
    operation = OPERATIONS[name]
    world = World(backend)
    tried = 0
    violations = []
    try:
        assert world.attempt(operation, role, -1, 0, lasting=False).kind == "done"
        calls = world.faults.count
        assert not world.problems(operation, Outcome("dead"))
        assert calls, "there was something to fail"
        for at, (word, error), lasting in product(range(calls), ERRORS.items(), (False, True)):
            if lasting and (error == DEATH or world.faults.count == at + 1):
                continue  # nothing came after the call that failed once
            outcome = world.attempt(operation, role, at, error, lasting=lasting)
            failed = world.faults.failed
            tried += 1
            violations += [
                f"{word} at call {at}{' and on' * lasting} ({failed}): {problem}"
                for problem in world.problems(operation, outcome)
            ]
        assert not world.left()
    finally:
        world.close()
    record_property("faults", (name, calls, tried))
    shown = "\n".join(violations[:40])
    assert not violations, f"{len(violations)} of {tried} violate:\n{shown}"
