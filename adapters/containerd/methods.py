"""The methods of containerd's task service: the request of each, and the handlers of each.

Source: containerd api/runtime/task/v2/shim.proto and v3; both versions have the same methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from adapters.containerd.api import task_pb2 as api
from adapters.containerd.exec_service import ExecService
from adapters.containerd.linux_containers import LinuxContainers
from adapters.containerd.service import TaskService
from adapters.containerd.task_queries import TaskQueries
from adapters.containerd.ttrpc.context import CallContext
from adapters.containerd.ttrpc.services import Handler

SERVICES = ("containerd.task.v2.Task", "containerd.task.v3.Task")

_OF_THE_SHIM = ("Create", "Shutdown")  # whatever container they name

Methods = Mapping[str, tuple[type[Message], Handler]]


def task_methods(
    tasks: TaskService, queries: TaskQueries, execs: ExecService, linux: LinuxContainers
) -> Methods:
    """Return the methods by name, as ttrpc's server takes them."""
    rows: tuple[tuple[str, type[Message], Handler, Handler | None], ...] = (
        # method, request, handler for a task, handler for a command inside a task
        ("Create", api.CreateTaskRequest, tasks.create, None),
        ("Start", api.StartRequest, tasks.start, execs.start),
        ("Exec", api.ExecProcessRequest, execs.exec, None),
        ("Kill", api.KillRequest, tasks.kill, execs.kill),
        ("Delete", api.DeleteRequest, tasks.delete, execs.delete),
        ("State", api.StateRequest, queries.state, execs.state),
        ("Wait", api.WaitRequest, queries.wait, execs.wait),
        ("CloseIO", api.CloseIORequest, queries.close_io, execs.close_io),
        ("ResizePty", api.ResizePtyRequest, queries.resize_pty, execs.resize_pty),
        ("Pids", api.PidsRequest, queries.pids, None),
        ("Stats", api.StatsRequest, queries.stats, None),
        ("Pause", api.PauseRequest, tasks.pause, None),
        ("Resume", api.ResumeRequest, tasks.resume, None),
        ("Update", api.UpdateTaskRequest, tasks.update, None),
        ("Checkpoint", api.CheckpointTaskRequest, queries.checkpoint, None),
        ("Connect", api.ConnectRequest, queries.connect, None),
        ("Shutdown", api.ShutdownRequest, tasks.shutdown, None),
    )
    return {
        name: (request, _by_container(name, linux, _by_exec_id(of_task, of_exec)))
        for name, request, of_task, of_exec in rows
    }


def _by_container(name: str, linux: LinuxContainers, of_firmware: Handler) -> Handler:
    """Return a handler that passes requests about Linux containers on."""
    if name in _OF_THE_SHIM:
        return of_firmware

    def handle(context: CallContext, request: Any) -> Message | None:
        if linux.has(request.id):
            return linux.pass_on(name, request)
        return of_firmware(context, request)

    return handle


def _by_exec_id(of_task: Handler, of_exec: Handler | None) -> Handler:
    """Return a handler that uses `of_exec` for requests with an `exec_id`, else `of_task`."""
    if of_exec is None:
        return of_task

    def handle(context: CallContext, request: Any) -> Message | None:
        return (of_exec if request.exec_id else of_task)(context, request)

    return handle
