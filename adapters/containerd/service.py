"""What the task service does to tasks.

The semantics are those of containerd's runc shim (cmd/containerd-shim-runc-v2/task/service.go),
as far as firmware allows.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from adapters.containerd.api import events_pb2 as events
from adapters.containerd.api import task_pb2 as api
from adapters.containerd.api.process_pb2 import Status as TaskStatus
from adapters.containerd.events import EventPublisher
from adapters.containerd.linux_containers import LinuxContainers
from adapters.containerd.linux_program import explain, is_for_linux
from adapters.containerd.mounts import mount_all, unmount_all
from adapters.containerd.reaper import Reaper
from adapters.containerd.stdio import TaskIO
from adapters.containerd.task import Task, Tasks
from adapters.containerd.times import timestamp
from adapters.containerd.ttrpc.context import CallContext
from adapters.containerd.ttrpc.server import Server
from adapters.oci.bundle import load_json, read_bundle
from adapters.oci.resources import read_resources
from domain.container import Exit, Status
from domain.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    RemoteprocError,
    Unsupported,
    WrongState,
)
from domain.lifecycle import Lifecycle
from domain.recovery import FIRST_PAUSE, LONGEST_PAUSE
from domain.signals import SIGKILL

GRACE = 1.0  # seconds that the calls in flight have when the shim shuts down

_ENDS_WITHIN = 10.0  # seconds between a supervisor's record of the exit and the supervisor's end


class TaskService:
    """The handlers of requests that change tasks.

    `lifecycle` reads the configuration when it is first needed, so it may raise. `server` is the
    one that Shutdown ends.
    """

    def __init__(
        self,
        namespace: str,
        lifecycle: Callable[[], Lifecycle],
        publisher: EventPublisher,
        reaper: Reaper,
        server: Server,
        tasks: Tasks,
        linux: LinuxContainers,
        warn: Callable[[str], None],
    ) -> None:
        self._namespace = namespace
        self._lifecycle = lifecycle
        self._publisher = publisher
        self._reaper = reaper
        self._server = server
        self._tasks = tasks
        self._linux = linux
        self._warn = warn

    def create(self, _: CallContext, request: api.CreateTaskRequest) -> Message:
        """Mount the root file system and create the container; undo both if one fails."""
        if request.checkpoint:
            raise Unsupported("firmware cannot be restored from a checkpoint")
        io = TaskIO(request.stdin, request.stdout, request.stderr, terminal=request.terminal)
        task = Task(request.id, os.path.abspath(request.bundle), io, self._publisher)
        if self._linux.has(request.id):
            raise AlreadyExists(f"task {request.id} already exists")
        with self._tasks.reserved(request.id) as created:
            mount_all(request.rootfs, task.rootfs)
            try:
                document = load_json(f"{task.bundle}/config.json")
                if is_for_linux(task.id, document, task.bundle, task.rootfs):
                    unmount_all(task.rootfs)
                    return self._linux.create(request, document)
                try:
                    self._create(task, document)
                except InvalidRequest as error:
                    explain(error, document, task.bundle, task.rootfs)
                    raise
            except BaseException:
                io.close()
                unmount_all(task.rootfs)
                raise
            created(task)
            self._publisher.publish("/tasks/create", _create_event(request, task.pid))
        # From here on an exit finds the task, and its event follows that of the creation.
        self._reaper.watch(task.pid, lambda status: self._record_exit(task, status))
        return api.CreateTaskResponse(pid=task.pid)

    def _create(self, task: Task, document: Any) -> None:
        bundle = read_bundle(task.id, task.bundle, document)
        task.io.open(task.id, self._namespace)
        container = self._lifecycle().create(bundle, task.io.stdio)
        task.pid = container.pid
        task.io.close_supervisor_ends()

    def _record_exit(self, task: Task, status: int) -> None:
        """Record how the firmware ended; its supervisor has ended.

        `status` is the supervisor's own exit status, for where there is no record.
        """
        exit_: Exit | None = None
        pause = FIRST_PAUSE
        try:
            # Without an exit the processor runs on, since its driver refuses the stop: the task has
            # not ended as long as that is so. A kill tries again, and wakes this thread.
            while (exit_ := self._lifecycle().state(task.id, status).exit) is None:
                task.stopped.wait(pause)
                task.stopped.clear()
                pause = min(pause * 2, LONGEST_PAUSE)
        except NotFound:
            pass  # the command line has deleted the container meanwhile
        except Exception as error:  # those who wait for the exit must get one in any case
            self._warn(f"container {task.id} has ended, but how is unknown: {error}")
        task.record_exit(exit_ or Exit(status, time.time()))

    def start(self, _: CallContext, request: api.StartRequest) -> Message:
        """Run the firmware. A start that fails ends the task, as with runc."""
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
        """Send a signal. Raises NotFound for a task that has ended; callers take it for success."""
        task = self._tasks.get(request.id)
        if task.exit is not None:
            raise NotFound("process already finished")
        try:
            self._lifecycle().kill(task.id, request.signal)
            task.stopped.set()
        except (WrongState, NotFound):
            if self._wait_if_stopped(task) is None:
                raise
            raise NotFound("process already finished") from None

    def _wait_if_stopped(self, task: Task) -> Exit | None:
        """Return the exit; wait for it where the container has stopped and the supervisor ends."""
        try:
            stopped = self._lifecycle().state(task.id).status is Status.STOPPED
        except NotFound:
            stopped = True
        return task.wait(_ENDS_WITHIN if stopped else 0)

    def delete(self, _: CallContext, request: api.DeleteRequest) -> Message:
        """Forget a task that has ended, or was never started; unmount its root file system."""
        task = self._tasks.get(request.id)
        with task.operating:
            self._end_unstarted(task)  # runc's shim deletes a task that was only created, too
            exit_ = self._wait_if_stopped(task)
            if exit_ is None:
                raise WrongState(f"cannot delete task {task.id}: it has not ended")
            self._tasks.get(task.id)  # raises if another request has deleted the task meanwhile
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
        """Pause the firmware, where the processor can."""
        task = self._tasks.get(request.id)
        with task.operating:
            self._lifecycle().pause(task.id)
            task.paused = True
            self._publisher.publish("/tasks/paused", events.TaskPaused(container_id=task.id))

    def resume(self, _: CallContext, request: api.ResumeRequest) -> None:
        """Let paused firmware go on."""
        task = self._tasks.get(request.id)
        with task.operating:
            self._lifecycle().resume(task.id)
            task.paused = False
            self._publisher.publish("/tasks/resumed", events.TaskResumed(container_id=task.id))

    def unused(self) -> bool:
        """Return whether the shim has no task, so that nobody misses it."""
        return not len(self._tasks) and not len(self._linux)

    def update(self, _: CallContext, request: api.UpdateTaskRequest) -> None:
        """Change limits of the task's control group."""
        task = self._tasks.get(request.id)
        limits = read_resources(request.resources.value, "the request's resources")
        with task.operating:
            self._lifecycle().update(task.id, limits)

    def shutdown(self, _: CallContext, __: api.ShutdownRequest) -> None:
        """End the shim, unless it has tasks."""
        if self.unused():
            self._server.shutdown(GRACE)


def _create_event(request: api.CreateTaskRequest, pid: int) -> Message:
    io = events.TaskIO(
        stdin=request.stdin,
        stdout=request.stdout,
        stderr=request.stderr,
        terminal=request.terminal,
    )
    return events.TaskCreate(
        container_id=request.id, bundle=request.bundle, rootfs=request.rootfs, io=io, pid=pid
    )
