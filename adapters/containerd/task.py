"""A task: one container as containerd sees it, and the order of its events."""

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
    """What the shim keeps of a task besides the container itself.

    A request that changes the task holds `operating`.
    """

    def __init__(
        self, container_id: str, bundle: str, io: TaskIO, publisher: EventPublisher
    ) -> None:
        super().__init__(container_id, container_id, io, publisher)
        self.bundle = bundle
        self.operating = threading.Lock()
        self.paused = False
        self.stopped = threading.Event()  # a request has stopped what ran without a supervisor
        self.execs: dict[str, ExecProcess] = {}
        self._started = False
        self._starting = False
        self._refused = False
        self._exit_during_start: Exit | None = None

    @property
    def rootfs(self) -> str:
        """The directory for the mounts that containerd lists."""
        return f"{self.bundle}/rootfs"

    @property
    def status(self) -> int:
        """The status, as a number of containerd's."""
        if self.exit is not None:
            return Status.STOPPED
        if not self._started:
            return Status.CREATED
        return Status.PAUSED if self.paused else Status.RUNNING

    def close(self) -> None:
        """End the commands that still run inside, and close all descriptors."""
        for command in list(self.execs.values()):
            command.terminate()
        self.io.close()

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Keep back the event of an exit during the start, until the start's event is published.

        A task whose start fails has no such event: it never ran, and Docker restarts what it hears
        the exit of.
        """
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
                self._refused = not self._started
                exit_, self._exit_during_start = self._exit_during_start, None
            if exit_ is not None:
                self.record_exit(exit_)

    def record_exit(self, exit_: Exit) -> None:
        """Publish the exit as every TaskProcess does, but not before the start."""
        with self._lock:
            if self._starting:
                self._exit_during_start = exit_
            else:
                super().record_exit(exit_)

    def _publish_exit(self, exit_: Exit) -> None:
        if not self._refused:
            super()._publish_exit(exit_)


class Tasks:
    """All tasks of the shim, by id."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task | None] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tasks)

    @contextmanager
    def reserved(self, container_id: str) -> Iterator[Callable[[Task], None]]:
        """Keep the id while the caller creates a task; the caller passes the task to what it gets.

        Raises AlreadyExists.
        """
        with self._lock:
            if container_id in self._tasks:
                raise AlreadyExists(f"task {container_id} already exists")
            self._tasks[container_id] = None
        created: list[Task] = []
        try:
            yield created.append
        finally:
            with self._lock:
                if created:
                    self._tasks[container_id] = created[0]
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
