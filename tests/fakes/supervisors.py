"""Supervisors in memory: the domain's own supervision and session on a board, without processes.

Time does not pass: `look` makes a supervisor read its processor's state once, `crash` is the death
of a supervisor by SIGKILL.
"""

from __future__ import annotations

import contextlib

from adapters.linux.light_signal import signal_name
from adapters.supervisor.no_processor import NoProcessor
from domain import supervision as sv
from domain.annotations import ProcessorOptions
from domain.container import Exit, FirmwareContainer, Operation, Owner
from domain.errors import Busy, NotFound, RemoteprocError, SupervisorGone
from domain.ports import Board, Draft, Processor
from domain.session import ProcessorSession
from domain.signals import SIGKILL
from domain.stdio import Stdio
from tests.fakes.leases import MemoryLeases
from tests.fakes.store import MemoryStatusRecord, MemoryStore


class MemorySupervisor:
    """One container's supervisor."""

    def __init__(
        self,
        container: FirmwareContainer,
        processor: Processor,
        store: MemoryStore,
        leases: MemoryLeases,
    ) -> None:
        self.container = container
        self.alive = True
        self.adopted = False
        self.said: list[str] = []
        self._reply: RemoteprocError | None = None
        self._store = store
        self._processor = processor
        self._leases = leases
        self._session = ProcessorSession(
            processor,
            leases,
            Owner(container.id, "memory:"),
            container.firmware,
            MemoryStatusRecord(store, container.id),
            clock=lambda: 0.0,
        )
        self._supervision = sv.Supervision(container.processor)

    def handle(self, event: sv.Event) -> None:
        """Take an event and perform its effects; raise the error that would be the reply."""
        self._reply = None
        self._perform(event)
        if self._reply is not None:
            raise self._reply

    def look(self) -> None:
        """Read the state of the processor."""
        state = self._processor.state()
        firmware_exit = self._processor.firmware_exit() if state.ended else None
        self._perform(sv.StateObserved(state, firmware_exit))

    def _perform(self, event: sv.Event) -> None:
        for effect in self._supervision.on(event):
            match effect:
                case sv.Action(operation):
                    self._perform(self._session.perform(operation))
                case sv.Reply(error):
                    self._reply = error
                case sv.Log(text):
                    self.said.append(text)
                case sv.Terminate(status, reason):
                    self._terminate(Exit(status, 0.0, reason))

    def _terminate(self, exit_: Exit) -> None:
        try:
            self._session.release()
        except RemoteprocError as error:
            self.said.append(f"cannot release processor {self._processor.name}: {error}")
            self._leases.owner_died(self.container.id)  # as its process ends
        with contextlib.suppress(NotFound):  # it was never committed
            if self._store.load(self.container.id).pid == self.container.pid:
                self._store.record_exit(self.container.id, exit_)
        self.alive = False


class MemorySupervisors:
    """Implements domain.ports.Supervisors. Those in `stuck` answer nothing and never end."""

    def __init__(self, board: Board, store: MemoryStore, leases: MemoryLeases) -> None:
        self._board = board
        self._store = store
        self._leases = leases
        self.all: dict[int, MemorySupervisor] = {}
        self.stuck: set[int] = set()

    def of(self, container: FirmwareContainer) -> MemorySupervisor:
        """Return the living supervisor. Raises SupervisorGone."""
        found = self.all.get(container.pid)
        if found is None or not found.alive:
            raise SupervisorGone(f"container {container.id} has ended: its supervisor is gone")
        return found

    def spawn(
        self, draft: Draft, container: FirmwareContainer, options: ProcessorOptions, stdio: Stdio
    ) -> FirmwareContainer:
        device = container.device
        processor = self._board.open(device, options) if device else NoProcessor()
        pid = 1000 + len(self.all)
        container = container._replace(pid=pid, start_time=pid * 100)
        self.all[pid] = MemorySupervisor(container, processor, self._store, self._leases)
        return container

    def adopt(self, container: FirmwareContainer) -> None:
        self.of(container).adopted = True

    def abandon(self, container: FirmwareContainer) -> None:
        with contextlib.suppress(SupervisorGone):
            self.of(container).handle(sv.CreatorDied())

    def alive(self, container: FirmwareContainer) -> bool:
        found = self.all.get(container.pid)
        return found is not None and found.alive

    def ask(self, container: FirmwareContainer, operation: Operation) -> None:
        supervisor = self.of(container)
        if container.pid in self.stuck:
            raise Busy(f"the supervisor of container {container.id} has not answered")
        supervisor.handle(sv.Request(operation))

    def signal(self, container: FirmwareContainer, number: int) -> None:
        supervisor = self.of(container)
        if number == SIGKILL:
            self.crash(container)
            return
        stops = number in container.stop_signals
        supervisor.handle(sv.SignalReceived(signal_name(number), stops))

    def wait(self, container: FirmwareContainer, seconds: float | None) -> bool:
        """Look at the processor until the supervisor ends; with a limit, do not look at all."""
        if seconds is None:
            while self.alive(container):
                self.all[container.pid].look()
        return not self.alive(container)

    def crash(self, container: FirmwareContainer) -> None:
        """Let the supervisor die by SIGKILL: its lease becomes stale, nothing else happens."""
        supervisor = self.of(container)
        supervisor.alive = False
        self._leases.owner_died(container.id)
