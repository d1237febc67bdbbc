"""The task service: what containerd asks of a running shim.

Semantics are those of containerd's runc shim (cmd/containerd-shim-runc-v2/task/service.go), where
firmware allows.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

from google.protobuf.message import Message

from adapters.containerd.api import events_pb2 as events
from adapters.containerd.api import task_pb2 as api
from adapters.containerd.api.process_pb2 import Status as TaskStatus
from adapters.containerd.events import EventPublisher
from adapters.containerd.exec_service import ExecService
from adapters.containerd.mounts import mount_all, unmount_all
from adapters.containerd.reaper import Reaper
from adapters.containerd.stdio import TaskIO
from adapters.containerd.task import Task, Tasks
from adapters.containerd.task_queries import Handlers, TaskQueries
from adapters.containerd.times import timestamp
from adapters.containerd.ttrpc.context import CallContext
from adapters.oci.bundle import read_bundle
from domain.container import Exit, Status
from domain.errors import NotFound, RemoteprocError, Unsupported, WrongState
from domain.lifecycle import Lifecycle
from domain.signals import SIGKILL

SERVICES = ("containerd.task.v2.Task", "containerd.task.v3.Task")
_WINDS_UP_WITHIN = 10.0  # seconds between a supervisor's record and its end


class TaskService:
    """All tasks of one shim. `lifecycle` may raise: the configuration is read when needed."""

    def __init__(
        self,
        namespace: str,
        lifecycle: Callable[[], Lifecycle],
        publisher: EventPublisher,
        exits: Reaper,
        stop: Callable[[], None],
        warn: Callable[[str], None],
    ) -> None:
        self._namespace = namespace
        self._lifecycle = lifecycle
        self._publisher = publisher
        self._exits = exits
        self._stop = stop
        self._warn = warn
        self._tasks = Tasks()

    def handlers(self) -> Handlers:
        """Return the methods, by name, as ttrpc's server takes them."""
        whole: Handlers = {
            **TaskQueries(self._tasks).handlers(),
            "Create": (api.CreateTaskRequest, self.create),
            "Start": (api.StartRequest, self.start),
            "Delete": (api.DeleteRequest, self.delete),
            "Pause": (api.PauseRequest, self.pause),
            "Resume": (api.ResumeRequest, self.resume),
            "Kill": (api.KillRequest, self.kill),
            "Shutdown": (api.ShutdownRequest, self.shutdown),
        }
        return ExecService(self._namespace, self._lifecycle, self._publisher, self._tasks).over(
            whole
        )

    def create(self, _: CallContext, request: api.CreateTaskRequest) -> Message:
        """Mount the root file system and create the container; on an error nothing remains."""
        if request.checkpoint:
            raise Unsupported("firmware cannot be restored from a checkpoint")
        io = TaskIO(request.stdin, request.stdout, request.stderr, terminal=request.terminal)
        task = Task(request.id, os.path.abspath(request.bundle), io, self._publisher)
        with self._tasks.reserved(request.id) as made:
            mount_all(request.rootfs, task.rootfs)
            try:
                self._create(task)
            except BaseException:
                io.close()
                unmount_all(task.rootfs)
                raise
            made(task)
            self._publisher.publish("/tasks/create", _created(request, task.pid))
        # Only now, that it is known, and its creation told.
        self._exits.watch(task.pid, lambda status: self._ended(task, status))
        return api.CreateTaskResponse(pid=task.pid)

    def _create(self, task: Task) -> None:
        bundle = read_bundle(task.id, task.bundle)
        task.io.open(task.id, self._namespace)
        container = self._lifecycle().create(bundle, task.io.stdio)
        task.pid = container.pid
        task.io.handed_over()

    def _ended(self, task: Task, status: int) -> None:
        """Find out how a supervisor that has ended did so."""
        exit_: Exit | None = None
        try:
            exit_ = self._lifecycle().state(task.id).exit
        except NotFound:
            pass  # deleted behind our back, on the command line
        except Exception as error:  # whatever it is, those who wait must hear of the end
            self._warn(f"container {task.id} has ended, but how is unknown: {error}")
        task.ended(exit_ or Exit(status, time.time()))

    def start(self, _: CallContext, request: api.StartRequest) -> Message:
        """Run the firmware. A start that fails ends the task, as it does with runc."""
        task = self._tasks.get(request.id)
        with task.operating:
            try:
                with task.starting():
                    self._lifecycle().start(task.id)
            except RemoteprocError:
                self._end_unstarted(task)
                raise
        return api.StartResponse(pid=task.pid)

    def _end_unstarted(self, task: Task) -> None:
        if task.status == TaskStatus.CREATED:
            with contextlib.suppress(RemoteprocError):
                self._lifecycle().kill(task.id, SIGKILL)

    def kill(self, _: CallContext, request: api.KillRequest) -> None:
        """Send a signal. What has ended is not found, which callers take for success."""
        task = self._tasks.get(request.id)
        if task.exit is not None:
            raise NotFound("process already finished")
        try:
            self._lifecycle().kill(task.id, request.signal)
        except (WrongState, NotFound):
            if task.wait(_WINDS_UP_WITHIN if self._has_stopped(task) else 0) is None:
                raise
            raise NotFound("process already finished") from None

    def _has_stopped(self, task: Task) -> bool:
        try:
            return self._lifecycle().state(task.id).status is Status.STOPPED
        except NotFound:
            return True

    def delete(self, _: CallContext, request: api.DeleteRequest) -> Message:
        """Forget a task that has ended, or never began; unmount its root file system."""
        task = self._tasks.get(request.id)
        with task.operating:
            self._end_unstarted(task)  # runc's shim deletes what was only created, too
            exit_ = task.wait(_WINDS_UP_WITHIN if self._has_stopped(task) else 0)
            if exit_ is None:
                raise WrongState(f"cannot delete task {task.id}: it has not ended")
            self._tasks.get(task.id)  # else deleted while this waited
            with contextlib.suppress(NotFound):
                self._lifecycle().delete(task.id)
            task.close()
            unmount_all(task.rootfs)
            self._tasks.remove(task)
        at = timestamp(exit_.at)
        self._publisher.publish(
            "/tasks/delete",
            events.TaskDelete(
                container_id=task.id, pid=task.pid, exit_status=exit_.status, exited_at=at
            ),
        )
        return api.DeleteResponse(pid=task.pid, exit_status=exit_.status, exited_at=at)

    def pause(self, _: CallContext, request: api.PauseRequest) -> None:
        """Freeze the firmware, where the processor can."""
        task = self._tasks.get(request.id)
        with task.operating:
            self._lifecycle().pause(task.id)
            task.paused = True
            self._publisher.publish("/tasks/paused", events.TaskPaused(container_id=task.id))

    def resume(self, _: CallContext, request: api.ResumeRequest) -> None:
        """Let frozen firmware go on."""
        task = self._tasks.get(request.id)
        with task.operating:
            self._lifecycle().resume(task.id)
            task.paused = False
            self._publisher.publish("/tasks/resumed", events.TaskResumed(container_id=task.id))

    def shutdown(self, _: CallContext, __: api.ShutdownRequest) -> None:
        """End the shim, unless there still are tasks."""
        if not len(self._tasks):
            self._stop()


def _created(request: api.CreateTaskRequest, pid: int) -> Message:
    io = events.TaskIO(
        stdin=request.stdin,
        stdout=request.stdout,
        stderr=request.stderr,
        terminal=request.terminal,
    )
    return events.TaskCreate(
        container_id=request.id, bundle=request.bundle, rootfs=request.rootfs, io=io, pid=pid
    )
