"""Supervisors in memory: domain.supervision on a board, without processes.

Time does not pass: `look` is the supervisor's next look at its processor, `crash` its death by
SIGKILL.
"""

from __future__ import annotations

import contextlib
from typing import Any

from domain import supervision as sv
from domain.annotations import read_annotations
from domain.container import Exit, FirmwareContainer, Owner
from domain.errors import Busy, NotFound, RemoteprocError, WrongState
from domain.ports import Board, Draft, Lease, Leases, Processor, Stdio
from domain.signals import SIGKILL, signal_name, stop_signals
from tests.fakes.store import MemoryStore


class MemorySupervisor:
    """One container's supervisor."""

    def __init__(
        self, container: FirmwareContainer, board: Board, store: MemoryStore, leases: Leases
    ) -> None:
        self.container = container
        self.alive = True
        self.adopted = False
        self.said: list[str] = []
        self._answer: RemoteprocError | None = None
        self._firmware = container.firmware
        self._store = store
        self._leases = leases
        self._lease: Lease | None = None
        options = read_annotations(container.annotations)
        self._processor = board.open(container.device, options) if container.device else None
        self._state = sv.Supervision(container.processor)

    def handle(self, event: sv.Event) -> None:
        """Take an event and do what follows from it; raise what would be answered."""
        self._answer = None
        self._perform(event)
        if self._answer is not None:
            raise self._answer

    def look(self) -> None:
        """See what the processor does."""
        if self._processor is not None:
            state = self._processor.state()
            self._perform(sv.Seen(state, self._processor.firmware_exit() if state.ended else None))

    def _perform(self, event: sv.Event) -> None:
        for effect in self._state.on(event):
            match effect:
                case sv.Act(verb):
                    self._perform(self._act(verb))
                case sv.Answer(error):
                    self._answer = error
                case sv.Say(text):
                    self.said.append(text)
                case sv.Finish(status, why):
                    self._finish(Exit(status, 0.0, why))

    def _act(self, verb: str) -> sv.Done:
        try:
            if self._processor is not None:
                self._drive(verb, self._processor)
        except RemoteprocError as error:
            return sv.Done(verb, error)
        facts: dict[str, dict[str, Any]] = {
            "start": {"started": 0.0},
            "pause": {"paused": True},
            "resume": {"paused": False},
        }
        if verb in facts:
            self._store.mark(self.container.id, **facts[verb])
        return sv.Done(verb)

    def _drive(self, verb: str, processor: Processor) -> None:
        match verb:
            case "start":
                self._start(processor)
            case "stop":
                processor.stop()
            case "pause":
                processor.pause()
            case "resume":
                processor.resume()

    def _start(self, processor: Processor) -> None:
        assert self._firmware is not None
        lease = self._leases.take(processor.device, Owner(self.container.id, "memory:"))
        try:
            if lease.claim:
                processor.release(lease.claim)
            if not processor.available():
                raise Busy(f"processor {processor.name} is {processor.state()}")
            lease.record_claim(processor.prepare(self.container.id, self._firmware))
            processor.load(lease.claim, self._firmware)
            try:
                processor.start()
            except BaseException:
                processor.release(lease.claim)
                raise
        except BaseException:
            lease.close()
            raise
        self._lease = lease

    def _finish(self, exit_: Exit) -> None:
        if self._lease is not None and self._processor is not None:
            self._processor.release(self._lease.claim)
            self._lease.close()
        with contextlib.suppress(NotFound):  # it was never committed
            if self._store.load(self.container.id).pid == self.container.pid:
                self._store.record_exit(self.container.id, exit_)
        self.alive = False


class MemorySupervisors:
    """Implements domain.ports.Supervisors. Those in `stuck` answer nothing and never end."""

    def __init__(self, board: Board, store: MemoryStore, leases: Leases) -> None:
        self._board = board
        self._store = store
        self._leases = leases
        self.all: dict[int, MemorySupervisor] = {}
        self.stuck: set[int] = set()

    def of(self, container: FirmwareContainer) -> MemorySupervisor:
        """Return the living supervisor. Raises WrongState."""
        found = self.all.get(container.pid)
        if found is None or not found.alive:
            raise WrongState(f"container {container.id} has ended: its supervisor is gone")
        return found

    def spawn(self, draft: Draft, container: FirmwareContainer, stdio: Stdio) -> FirmwareContainer:
        """Begin a supervisor."""
        pid = 1000 + len(self.all)
        container = container._replace(pid=pid, start_time=pid * 100)
        self.all[pid] = MemorySupervisor(container, self._board, self._store, self._leases)
        return container

    def adopt(self, container: FirmwareContainer) -> None:
        """Let it live on."""
        self.of(container).adopted = True

    def abandon(self, container: FirmwareContainer) -> None:
        """End one that was not adopted."""
        with contextlib.suppress(WrongState):
            self.of(container).handle(sv.Abandoned())

    def alive(self, container: FirmwareContainer) -> bool:
        """Whether it lives."""
        found = self.all.get(container.pid)
        return found is not None and found.alive

    def ask(self, container: FirmwareContainer, verb: str) -> None:
        """Have it done."""
        supervisor = self.of(container)
        if container.pid in self.stuck:
            raise Busy(f"the supervisor of container {container.id} has not answered")
        supervisor.handle(sv.Asked(verb))

    def signal(self, container: FirmwareContainer, number: int) -> None:
        """Send it a signal."""
        supervisor = self.of(container)
        if number == SIGKILL:
            self.crash(container)
            return
        stops = number in stop_signals(container.annotations)
        supervisor.handle(sv.Signalled(signal_name(number), stops))

    def wait(self, container: FirmwareContainer, seconds: float | None) -> bool:
        """Wait for its end. Nothing ends while nobody does anything; without a limit, look on."""
        if seconds is None:
            while self.alive(container):
                self.all[container.pid].look()
        return not self.alive(container)

    def crash(self, container: FirmwareContainer) -> None:
        """Let it die by SIGKILL: the kernel frees its lease, nothing else happens."""
        supervisor = self.of(container)
        supervisor.alive = False
        if supervisor._lease is not None:
            supervisor._lease.keep_claim()  # type: ignore[attr-defined]
