"""A task: one container as containerd sees it, and the order in which its events are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from adapters.containerd.api.events_pb2 import TaskStart
from adapters.containerd.api.process_pb2 import Status
from adapters.containerd.events import EventPublisher
from adapters.containerd.exec_process import ExecProcess
from adapters.containerd.stdio import TaskIO
from adapters.containerd.task_process import TaskProcess
from domain.container import Exit
from domain.errors import AlreadyExists, NotFound


class Task(TaskProcess):
    """What is known of a task beyond what the use cases know. `operating` serialises requests."""

    def __init__(
        self, container_id: str, bundle: str, io: TaskIO, publisher: EventPublisher
    ) -> None:
        super().__init__(container_id, container_id, io, publisher)
        self.bundle = bundle
        self.operating = threading.Lock()
        self.paused = False
        self.execs: dict[str, ExecProcess] = {}
        self._started = False
        self._starting = False
        self._early: Exit | None = None

    @property
    def rootfs(self) -> str:
        """Where the mounts that containerd lists belong."""
        return f"{self.bundle}/rootfs"

    @property
    def status(self) -> int:
        """Status in containerd's numbers."""
        if self.exit is not None:
            return Status.STOPPED
        if not self._started:
            return Status.CREATED
        return Status.PAUSED if self.paused else Status.RUNNING

    def close(self) -> None:
        """End what still runs inside, and close all descriptors."""
        for command in list(self.execs.values()):
            command.abandon()
        self.io.close()

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Around the start: an exit that comes meanwhile is told after the start is."""
        with self._lock:
            self._starting = True
        try:
            yield
            with self._lock:
                self._started = True
                self._publisher.publish(
                    "/tasks/start", TaskStart(container_id=self.id, pid=self.pid)
                )
        finally:
            with self._lock:
                self._starting = False
                early, self._early = self._early, None
            if early is not None:
                self.ended(early)

    def _tell(self, exit_: Exit) -> bool:
        if self._starting:
            self._early = exit_
            return False
        return super()._tell(exit_)


class Tasks:
    """All tasks of this shim, by id."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task | None] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tasks)

    @contextmanager
    def reserved(self, container_id: str) -> Iterator[Callable[[Task], None]]:
        """Keep the id for a task in the making; call what is yielded once it is made."""
        with self._lock:
            if container_id in self._tasks:
                raise AlreadyExists(f"task {container_id} already exists")
            self._tasks[container_id] = None
        made: list[Task] = []
        try:
            yield made.append
        finally:
            with self._lock:
                if made:
                    self._tasks[container_id] = made[0]
                else:
                    del self._tasks[container_id]

    def get(self, container_id: str) -> Task:
        """Return a task. Raises NotFound."""
        task = self._tasks.get(container_id)
        if task is None:
            raise NotFound(f"task {container_id} not found")
        return task

    def remove(self, task: Task) -> None:
        """Forget a task."""
        with self._lock:
            self._tasks.pop(task.id, None)
