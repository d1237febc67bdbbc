"""What the task service does without changing tasks: questions, and requests that it refuses."""

from __future__ import annotations

import os
from collections.abc import Callable

from google.protobuf.message import Message

from adapters.containerd.api import task_pb2 as api
from adapters.containerd.api.anys import pack
from adapters.containerd.api.process_pb2 import ProcessInfo
from adapters.containerd.task import Tasks
from adapters.containerd.task_process import TaskProcess
from adapters.containerd.times import timestamp
from adapters.containerd.ttrpc.context import CallContext
from adapters.containerd.ttrpc.errors import Code, RpcError
from adapters.linux.process_tree import process_tree
from domain.errors import NotFound, Unsupported, WrongState
from domain.lifecycle import Lifecycle


class TaskQueries:
    """The handlers of requests that change no task."""

    def __init__(self, lifecycle: Callable[[], Lifecycle], tasks: Tasks) -> None:
        self._lifecycle = lifecycle
        self._tasks = tasks

    def state(self, _: CallContext, request: api.StateRequest) -> Message:
        """Return the task's status, descriptors and exit."""
        task = self._tasks.get(request.id)
        return state_of(task, task.bundle, task.status)

    def wait(self, context: CallContext, request: api.WaitRequest) -> Message:
        """Wait until the task has ended, however long that takes."""
        return wait_for(context, self._tasks.get(request.id))

    def pids(self, _: CallContext, request: api.PidsRequest) -> Message:
        """List the supervisor and its descendants, such as a simulator.

        The list names the supervisor of a task that has ended, too: where the list is empty,
        containerd kills the shim at its own restart, and the exit would be lost.
        """
        task = self._tasks.get(request.id)
        pids = process_tree(task.pid) if task.exit is None else [task.pid]
        return api.PidsResponse(processes=[ProcessInfo(pid=pid) for pid in pids])

    def stats(self, _: CallContext, request: api.StatsRequest) -> Message:
        """Tell what the task's control group uses."""
        task = self._tasks.get(request.id)
        if task.exit is not None:
            raise NotFound(f"task {task.id} has ended")
        from adapters.containerd.stats import metrics  # few clients ask for its messages

        try:
            usage = self._lifecycle().usage(task.id)
        except WrongState as error:
            raise NotFound(str(error)) from error
        return api.StatsResponse(stats=pack(metrics(usage)))

    def connect(self, _: CallContext, request: api.ConnectRequest) -> Message:
        """Return the pids; containerd asks for them to see whether the shim responds."""
        try:
            pid = self._tasks.get(request.id).pid
        except NotFound:
            pid = 0
        return api.ConnectResponse(shim_pid=os.getpid(), task_pid=pid)

    def close_io(self, _: CallContext, request: api.CloseIORequest) -> None:
        """Close the firmware's stdin."""
        task = self._tasks.get(request.id)
        if request.stdin:
            task.io.close_stdin()

    def resize_pty(self, _: CallContext, request: api.ResizePtyRequest) -> None:
        """Do nothing: firmware does not know a terminal's size."""
        self._tasks.get(request.id)

    def checkpoint(self, _: CallContext, request: api.CheckpointTaskRequest) -> None:
        """Raise Unsupported."""
        self._tasks.get(request.id)
        raise Unsupported(f"cannot checkpoint container {request.id}: it is firmware")


def state_of(process: TaskProcess, bundle: str, status: int) -> api.StateResponse:
    """Return State's response about a task, or about a command inside it."""
    stdin, stdout, stderr = process.io.names
    exit_ = process.exit
    return api.StateResponse(
        id=process.container,
        bundle=bundle,
        pid=process.pid,
        status=status,  # type: ignore[arg-type]
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        terminal=process.io.terminal,
        exit_status=exit_.status if exit_ else 0,
        exited_at=timestamp(exit_.at) if exit_ else None,
    )


def wait_for(context: CallContext, process: TaskProcess) -> api.WaitResponse:
    """Wait for the exit and return Wait's response. Raises RpcError if the call is cancelled."""
    exit_ = process.wait(on_cancel=context.on_cancel)
    if exit_ is None:
        raise RpcError(Code.CANCELED, "context canceled")
    return api.WaitResponse(exit_status=exit_.status, exited_at=timestamp(exit_.at))
