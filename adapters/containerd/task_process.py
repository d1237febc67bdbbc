"""What a task and a command inside it share: an exit, its event, and those who wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from adapters.containerd.api.events_pb2 import TaskExit, TaskOOM
from adapters.containerd.events import EXIT, EventPublisher
from adapters.containerd.stdio import TaskIO
from adapters.containerd.times import timestamp
from domain.container import Exit


class TaskProcess:
    """A process as containerd sees it; `id` is the container's id for the container's process."""

    def __init__(self, container: str, name: str, io: TaskIO, publisher: EventPublisher) -> None:
        self.container = container
        self.id = name
        self.io = io
        self.pid = 0
        self.exit: Exit | None = None
        self._publisher = publisher
        self._lock = threading.RLock()
        self._waiters: list[Callable[[], None]] = []

    def record_exit(self, exit_: Exit) -> None:
        """Publish the exit and wake those who wait for it; only the first call has an effect."""
        with self._lock:
            if self.exit is not None:
                return
            self.exit = exit_
            waiters, self._waiters = self._waiters, []
            try:
                if exit_.out_of_memory:  # Docker and the kubelet show it with the exit that follows
                    self._publisher.publish("/tasks/oom", TaskOOM(container_id=self.container))
                self._publish_exit(exit_)
            finally:
                for wake in waiters:
                    wake()

    def _publish_exit(self, exit_: Exit) -> None:
        self._publisher.publish(
            EXIT,
            TaskExit(
                container_id=self.container,
                id=self.id,
                pid=self.pid,
                exit_status=exit_.status,
                exited_at=timestamp(exit_.at),
            ),
        )

    def wait(
        self,
        seconds: float | None = None,
        on_cancel: Callable[[Callable[[], None]], None] = lambda _: None,
    ) -> Exit | None:
        """Return the exit; None if the time is up, or the call that waits is cancelled first."""
        over = threading.Event()
        wake = over.set
        with self._lock:
            if self.exit is not None:
                return self.exit
            self._waiters.append(wake)
        on_cancel(wake)
        over.wait(seconds)
        with self._lock:
            if wake in self._waiters:
                self._waiters.remove(wake)
            return self.exit
