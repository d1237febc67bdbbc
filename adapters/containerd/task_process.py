"""What ends, is told to end, and is waited for: a task, or a command inside it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from adapters.containerd.api.events_pb2 import TaskExit
from adapters.containerd.events import EventPublisher
from adapters.containerd.stdio import TaskIO
from adapters.containerd.times import timestamp
from domain.container import Exit


class TaskProcess:
    """A process as containerd sees it; `id` is the container's for its own process."""

    def __init__(self, container: str, name: str, io: TaskIO, publisher: EventPublisher) -> None:
        self.container = container
        self.id = name
        self.io = io
        self.pid = 0
        self.exit: Exit | None = None
        self._publisher = publisher
        self._lock = threading.Lock()
        self._waiters: list[Callable[[], None]] = []

    def ended(self, exit_: Exit) -> None:
        """Tell everybody how it ended, once."""
        with self._lock:
            if self.exit is not None or not self._tell(exit_):
                return
            self.exit = exit_
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

    def _tell(self, exit_: Exit) -> bool:
        """Tell containerd, or return False if it is to be told later. The lock is held."""
        self._publisher.publish(
            "/tasks/exit",
            TaskExit(
                container_id=self.container,
                id=self.id,
                pid=self.pid,
                exit_status=exit_.status,
                exited_at=timestamp(exit_.at),
            ),
        )
        return True

    def wait(
        self,
        seconds: float | None = None,
        on_cancel: Callable[[Callable[[], None]], None] = lambda _: None,
    ) -> Exit | None:
        """Return how it ended; None if time is up or `on_cancel` called back first."""
        woken = threading.Event()
        wake = woken.set
        with self._lock:
            if self.exit is not None:
                return self.exit
            self._waiters.append(wake)
        on_cancel(wake)
        woken.wait(seconds)
        with self._lock:
            if wake in self._waiters:
                self._waiters.remove(wake)
            return self.exit
