"""What containerd asks of commands inside a task: requests with an `exec_id`."""

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
from adapters.containerd.task_queries import Handler, Handlers, state_of, wait_for
from adapters.containerd.times import timestamp
from adapters.containerd.ttrpc.context import CallContext
from adapters.oci.execute import question
from domain.container import Exit
from domain.errors import AlreadyExists, InvalidRequest, NotFound, WrongState
from domain.lifecycle import Lifecycle


class ExecService:
    """The methods that a request with an `exec_id` means."""

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

    def over(self, whole: Handlers) -> Handlers:
        """Return the methods: of tasks as given, except where a command inside one is meant."""
        inside: dict[str, Handler] = {
            "Start": self.start,
            "State": self.state,
            "Wait": self.wait,
            "Kill": self.kill,
            "Delete": self.delete,
            "CloseIO": self.close_io,
            "ResizePty": self.resize_pty,
        }
        routed = {
            name: (whole[name][0], _routed(handler, whole[name][1]))
            for name, handler in inside.items()
        }
        return {**whole, **routed, "Exec": (api.ExecProcessRequest, self.exec)}

    def exec(self, _: CallContext, request: api.ExecProcessRequest) -> None:
        """Remember a command."""
        task = self._tasks.get(request.id)
        if not request.exec_id:
            raise InvalidRequest("a command inside a container needs an id of its own")
        if task.exit is not None:
            raise WrongState(f"cannot exec in container {task.id}: it is stopped")
        words = _words(request.spec.value)
        io = TaskIO(request.stdin, request.stdout, request.stderr, terminal=request.terminal)
        made = ExecProcess(task.id, request.exec_id, words, io, self._publisher)
        if task.execs.setdefault(made.id, made) is not made:
            raise AlreadyExists(f"process {made.id} of task {task.id} already exists")
        event = events.TaskExecAdded(container_id=task.id, exec_id=made.id)
        self._publisher.publish("/tasks/exec-added", event)

    def start(self, _: CallContext, request: api.StartRequest) -> Message:
        """Answer the command."""
        task, command = self._find(request)
        with command.operating:
            if command.status != Status.CREATED:
                raise WrongState(f"process {command.id} of task {task.id} was started before")
            ask = question(self._lifecycle(), task.id, command.words)
            command.io.open(task.id, self._namespace)
            command.start(ask)
        return api.StartResponse(pid=command.pid)

    def state(self, _: CallContext, request: api.StateRequest) -> Message:
        """Tell what is known of a command."""
        task, command = self._find(request)
        state = state_of(command, task.bundle, command.status)
        state.exec_id = command.id
        return state

    def wait(self, context: CallContext, request: api.WaitRequest) -> Message:
        """Wait for the end."""
        return wait_for(context, self._find(request)[1])

    def kill(self, _: CallContext, request: api.KillRequest) -> None:
        """End the answer."""
        self._find(request)[1].kill(request.signal)

    def delete(self, _: CallContext, request: api.DeleteRequest) -> Message:
        """Forget a command that has ended or never began."""
        task, command = self._find(request)
        with command.operating:
            if command.status == Status.RUNNING:
                raise WrongState(f"cannot delete process {command.id} of task {task.id}: it runs")
            command.io.close()
            task.execs.pop(command.id, None)
        end = command.exit or Exit(0, time.time())
        return api.DeleteResponse(
            pid=command.pid, exit_status=end.status, exited_at=timestamp(end.at)
        )

    def close_io(self, _: CallContext, request: api.CloseIORequest) -> None:
        """Close its stdin, which no command reads."""
        command = self._find(request)[1]
        if request.stdin:
            command.io.close_stdin()

    def resize_pty(self, _: CallContext, request: api.ResizePtyRequest) -> None:
        """Do nothing: no command asks for a terminal's size."""
        self._find(request)

    def _find(self, request: Any) -> tuple[Task, ExecProcess]:
        task = self._tasks.get(request.id)
        command = task.execs.get(request.exec_id)
        if command is None:
            raise NotFound(f"process {request.exec_id} of task {task.id} not found")
        return task, command


def _routed(inside: Handler, whole: Handler) -> Handler:
    def handle(context: CallContext, request: Any) -> Message | None:
        return (inside if request.exec_id else whole)(context, request)

    return handle


def _words(process: bytes) -> list[str]:
    """Return `args` of the runtime specification's Process, which containerd gives as JSON."""
    try:
        words = json.loads(process)["args"]
    except (ValueError, KeyError, TypeError, RecursionError):
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InvalidRequest("process.args of the command is no list of words")
    return words
