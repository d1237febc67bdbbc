"""A command inside a task: firmware runs no programs, so the shim carries the command out.

Each command is a thread of the shim, not a process: containerd gets the shim's pid, and a signal
only ends the output.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

from adapters.containerd.api.events_pb2 import TaskExecStarted
from adapters.containerd.api.process_pb2 import Status
from adapters.containerd.events import EventPublisher
from adapters.containerd.stdio import TaskIO
from adapters.containerd.task_process import TaskProcess
from adapters.containerd.ttrpc import threads
from domain.builtin_exec import ExecResult
from domain.container import Exit
from domain.errors import HostFault, NotFound
from domain.signals import SIGKILL

_WRITE_AGAIN = 0.01  # seconds until the thread writes again to a client that reads slowly


class ExecProcess(TaskProcess):
    """One command, with descriptors of its own. A request that changes it holds `operating`."""

    def __init__(
        self, container: str, name: str, words: Sequence[str], io: TaskIO, publisher: EventPublisher
    ) -> None:
        super().__init__(container, name, io, publisher)
        self.words = words
        self.operating = threading.Lock()
        self._signal = 0
        self._killed = threading.Event()

    @property
    def status(self) -> int:
        """The status, as a number of containerd's."""
        if self.exit is not None:
            return Status.STOPPED
        return Status.RUNNING if self.pid else Status.CREATED

    def start(self, result: ExecResult) -> None:
        """Write the command's result in a thread; the caller has opened the descriptors.

        Raises HostFault if the system gives no thread: the command can be started again then.
        """
        self.pid = os.getpid()
        try:
            threads.start(lambda: self._run(result))
        except (RuntimeError, MemoryError) as error:
            self.pid = 0
            self.io.close()
            raise HostFault(
                f"cannot start process {self.id} of task {self.container}: {error}",
                hint="raise the limit of threads, or try again",
            ) from error

    def _run(self, result: ExecResult) -> None:
        code = 1
        try:
            started = TaskExecStarted(container_id=self.container, exec_id=self.id, pid=self.pid)
            self._publisher.publish("/tasks/exec-started", started)
            code = self._show(result)
        finally:  # even if the write fails, those who wait for the exit must be woken
            self.io.close_supervisor_ends()  # clients see the end of output before the exit
            self.record_exit(Exit(128 + self._signal if self._signal else code, time.time()))

    def _show(self, result: ExecResult) -> int:
        """Write the command's output; return its exit code."""
        code, stdio = result.code, self.io.stdio
        try:
            self._write(stdio.stdout, result.out)
            self._write(stdio.stderr, result.err)
        except OSError:
            code = code or 1  # the client does not read
        return code

    def _write(self, number: int, data: bytes) -> None:
        if self.io.terminal:
            data = data.replace(b"\n", b"\r\n")  # as a terminal would
        if data:
            os.set_blocking(number, False)
        while data and not self._killed.is_set():
            try:
                data = data[os.write(number, data) :]
            except BlockingIOError:
                self._killed.wait(_WRITE_AGAIN)

    def kill(self, number: int) -> None:
        """Write no more output. Raises NotFound if the command has ended, or was not started."""
        if self.status != Status.RUNNING:
            raise NotFound("process already finished")
        if number:
            self._signal = number
            self._killed.set()

    def terminate(self) -> None:
        """End the command, whatever its status, because its task is being deleted."""
        with self.operating:
            if self.status == Status.RUNNING:
                self._signal = SIGKILL
                self._killed.set()
                self.wait()
            self.io.close()
