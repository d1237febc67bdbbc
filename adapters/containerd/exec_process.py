"""A command inside a task: firmware runs no programs, so this process answers it.

Each is a thread, not a process: the pid told is this one's, and a signal only ends the answer.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence

from adapters.containerd.api.events_pb2 import TaskExecStarted
from adapters.containerd.api.process_pb2 import Status
from adapters.containerd.events import EventPublisher
from adapters.containerd.stdio import TaskIO
from adapters.containerd.task_process import TaskProcess
from adapters.containerd.ttrpc import threads
from adapters.containerd.ttrpc_codes import map_error
from domain.builtin_exec import UNKNOWN, Reply
from domain.container import Exit
from domain.errors import NotFound
from domain.signals import SIGKILL

_READER_AGAIN = 0.01  # seconds until a client that reads slowly is tried again


class ExecProcess(TaskProcess):
    """One command, on descriptors of its own. `operating` serialises requests."""

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
        """Status in containerd's numbers."""
        if self.exit is not None:
            return Status.STOPPED
        return Status.RUNNING if self.pid else Status.CREATED

    def start(self, ask: Callable[[], Reply]) -> None:
        """Tell the start, and answer from now on; the descriptors are open."""
        self.pid = os.getpid()
        started = TaskExecStarted(container_id=self.container, exec_id=self.id, pid=self.pid)
        self._publisher.publish("/tasks/exec-started", started)
        threads.start(lambda: self._run(ask), f"exec {self.id}")

    def _run(self, ask: Callable[[], Reply]) -> None:
        stdio = self.io.stdio
        try:
            code, data = ask()
            number = stdio.stderr if code == UNKNOWN else stdio.stdout
        except Exception as error:  # whatever it is, those who wait must hear of the end
            code, data, number = 1, f"{map_error(error).message}\n".encode(), stdio.stderr
        try:
            self._write(number, data)
        except OSError:
            code = code or 1  # nobody reads
        self.io.handed_over()  # clients see the end of the output before that of the command
        self.ended(Exit(128 + self._signal if self._signal else code, time.time()))

    def _write(self, number: int, data: bytes) -> None:
        if self.io.terminal:
            data = data.replace(b"\n", b"\r\n")  # which is what a terminal would do
        os.set_blocking(number, False)
        while data and not self._killed.is_set():
            try:
                data = data[os.write(number, data) :]
            except BlockingIOError:
                self._killed.wait(_READER_AGAIN)

    def kill(self, number: int) -> None:
        """Give up answering. Raises NotFound if that is over, or never began."""
        if self.status != Status.RUNNING:
            raise NotFound("process already finished")
        if number:
            self._signal = number
            self._killed.set()

    def abandon(self) -> None:
        """End it, whatever its state; its task is being deleted."""
        with self.operating:
            if self.status == Status.RUNNING:
                self._signal = SIGKILL
                self._killed.set()
                self.wait()
            self.io.close()
