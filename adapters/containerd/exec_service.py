"""What the task service does with commands inside a task: requests with an `exec_id`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from adapters.containerd.api import events_pb2 as events
from adapters.containerd.api import task_pb2 as api
from adapters.containerd.api.process_pb2 import Status
from adapters.containerd.events import EventPublisher
from adapters.containerd.exec_process import ExecProcess
from adapters.containerd.stdio import TaskIO
from adapters.containerd.task import Task, Tasks
from adapters.containerd.task_queries import state_of, wait_for
from adapters.containerd.times import timestamp
from adapters.containerd.ttrpc.context import CallContext
from domain.container import Exit
from domain.errors import AlreadyExists, InvalidRequest, NotFound, WrongState
from domain.lifecycle import Lifecycle


class ExecService:
    """The handlers of requests that name a command inside a task."""

    def __init__(
        self,
        namespace: str,
        lifecycle: Callable[[], Lifecycle],
        publisher: EventPublisher,
        tasks: Tasks,
    ) -> None:
        self._namespace = namespace
        self._lifecycle = lifecycle
        self._publisher = publisher
        self._tasks = tasks

    def exec(self, _: CallContext, request: api.ExecProcessRequest) -> None:
        """Keep a command, which Start carries out."""
        task = self._tasks.get(request.id)
        if not request.exec_id:
            raise InvalidRequest("a command inside a container needs an id of its own")
        if task.exit is not None:
            raise WrongState(f"cannot exec in container {task.id}: it is stopped")
        words = _words(request.spec.value)
        io = TaskIO(request.stdin, request.stdout, request.stderr, terminal=request.terminal)
        added = ExecProcess(task.id, request.exec_id, words, io, self._publisher)
        if task.execs.setdefault(added.id, added) is not added:
            raise AlreadyExists(f"process {added.id} of task {task.id} already exists")
        event = events.TaskExecAdded(container_id=task.id, exec_id=added.id)
        self._publisher.publish("/tasks/exec-added", event)

    def start(self, _: CallContext, request: api.StartRequest) -> Message:
        """Carry the command out."""
        task, command = self._find(request)
        with command.operating:
            if command.status != Status.CREATED:
                raise WrongState(f"process {command.id} of task {task.id} was started before")
            result = self._lifecycle().exec(task.id, command.words)
            command.io.open(task.id, self._namespace)
            command.start(result)
        return api.StartResponse(pid=command.pid)

    def state(self, _: CallContext, request: api.StateRequest) -> Message:
        """Return the command's status, descriptors and exit."""
        task, command = self._find(request)
        state = state_of(command, task.bundle, command.status)
        state.exec_id = command.id
        return state

    def wait(self, context: CallContext, request: api.WaitRequest) -> Message:
        """Wait until the command has ended."""
        return wait_for(context, self._find(request)[1])

    def kill(self, _: CallContext, request: api.KillRequest) -> None:
        """End the command's output."""
        self._find(request)[1].kill(request.signal)

    def delete(self, _: CallContext, request: api.DeleteRequest) -> Message:
        """Forget a command that has ended, or was never started."""
        task, command = self._find(request)
        with command.operating:
            if command.status == Status.RUNNING:
                raise WrongState(f"cannot delete process {command.id} of task {task.id}: it runs")
            command.io.close()
            task.execs.pop(command.id, None)
        exit_ = command.exit or Exit(0, time.time())
        return api.DeleteResponse(
            pid=command.pid, exit_status=exit_.status, exited_at=timestamp(exit_.at)
        )

    def close_io(self, _: CallContext, request: api.CloseIORequest) -> None:
        """Close the command's stdin, which no command reads."""
        command = self._find(request)[1]
        if request.stdin:
            command.io.close_stdin()

    def resize_pty(self, _: CallContext, request: api.ResizePtyRequest) -> None:
        """Do nothing: no command uses a terminal's size."""
        self._find(request)

    def _find(self, request: Any) -> tuple[Task, ExecProcess]:
        task = self._tasks.get(request.id)
        command = task.execs.get(request.exec_id)
        if command is None:
            raise NotFound(f"process {request.exec_id} of task {task.id} not found")
        return task, command


def _words(process: bytes) -> list[str]:
    """Return `args` of the runtime specification's Process, which containerd sends as JSON."""
    try:
        words = json.loads(process)["args"]
    except (ValueError, KeyError, TypeError, RecursionError):
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InvalidRequest("process.args of the command is no list of words")
    return words
