"""A task: one container as containerd sees it, and the order in which its events are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from adapters.containerd.api.events_pb2 import TaskExit, TaskStart
from adapters.containerd.api.process_pb2 import Status
from adapters.containerd.events import Publisher
from adapters.containerd.stdio import TaskIO
from adapters.containerd.times import timestamp
from domain.container import Exit
from domain.errors import AlreadyExists, NotFound


class Request(Protocol):
    """A request that names a task and maybe one of its processes."""

    id: str
    exec_id: str


class Task:
    """What is known of a task beyond what the use cases know. `operating` serialises requests."""

    def __init__(self, container_id: str, bundle: str, io: TaskIO, publisher: Publisher) -> None:
        self.id = container_id
        self.bundle = bundle
        self.io = io
        self.pid = 0
        self.operating = threading.Lock()
        self.exit: Exit | None = None
        self.paused = False
        self._publisher = publisher
        self._lock = threading.Lock()
        self._started = False
        self._starting = False
        self._early: Exit | None = None
        self._waiters: list[Callable[[], None]] = []

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

    def ended(self, exit_: Exit) -> None:
        """Tell everybody how it ended, once."""
        with self._lock:
            if self.exit is not None:
                return
            if self._starting:
                self._early = exit_
                return
            self._publisher.publish(
                "/tasks/exit",
                TaskExit(
                    container_id=self.id,
                    id=self.id,
                    pid=self.pid,
                    exit_status=exit_.status,
                    exited_at=timestamp(exit_.at),
                ),
            )
            self.exit = exit_
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

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

    def of(self, request: Request) -> Task:
        """Return the task whose own process is meant; there are no others. Raises NotFound."""
        task = self.get(request.id)
        if request.exec_id:
            raise NotFound(f"process {request.exec_id} of task {request.id} not found")
        return task

    def remove(self, task: Task) -> None:
        """Forget a task."""
        with self._lock:
            self._tasks.pop(task.id, None)
