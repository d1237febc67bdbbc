"""The process that stands for the firmware: its pid, exit code and stdout are the container's.

The supervisor turns signals, requests and the processor's state into events for
domain.supervision and performs the effects. It has one thread and one poll; only the kernel's
start and stop can block it.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import TYPE_CHECKING

from adapters.linux.channel import Channel
from adapters.state import container_dir
from adapters.supervisor.console_input import Input
from adapters.supervisor.control_socket import ControlSocket
from adapters.supervisor.output import Output
from adapters.supervisor.signal_pipe import open_signal_pipe
from domain import supervision as sv
from domain.container import EXIT_KILLED, Exit, Operation
from domain.errors import RemoteprocError
from domain.session import ProcessorSession
from domain.signals import signal_name

if TYPE_CHECKING:
    from domain.ports import Processor

_LINGER = 1.0  # seconds that a slow reader gets for the last output
_RETRY = 0.05  # seconds until a console that took no input is asked again
_LAST_READS = 256  # firmware that prints without end must not delay its own stop


class Supervisor:
    """One container's supervisor.

    `directory` is the container's, open. The creator says `adopt` on the channel `creator` once
    the container is complete; if the creator dies before, the supervisor ends.
    """

    def __init__(
        self,
        stop_signals: frozenset[int],
        processor: Processor,
        session: ProcessorSession,
        directory: int,
        creator: Channel,
        stdin: Input,
        output: Output,
    ) -> None:
        self._stop_signals = stop_signals
        self._processor = processor
        self._session = session
        self._directory = directory
        self._creator: Channel | None = creator
        self._input = stdin
        self._output = output
        self._supervision = sv.Supervision(processor.name)
        self._exit: int | None = None
        self._signals = open_signal_pipe()
        self._control = ControlSocket(directory)

    def run(self) -> int:
        """Serve until the container has ended; return its exit status."""
        try:
            while self._exit is None:
                self._turn()
        except Exception as error:  # a mistake in this program
            problem = RemoteprocError(f"internal error: {type(error).__name__}: {error}")
            self._output.remark(str(problem))
            self._terminate(EXIT_KILLED, str(problem), problem)
        return EXIT_KILLED if self._exit is None else self._exit

    def _turn(self) -> None:
        active = self._supervision.active
        ready = self._poll(active)
        for stream in self._output.streams():
            if ready.get(stream.descriptor, 0):
                stream.write()
        self._read_creator(ready)
        self._read_signals()
        for operation in self._control.requests(ready):
            self._handle(sv.Request(operation))
        if active:
            self._feed(ready)
            self._look()

    def _poll(self, active: bool) -> dict[int, int]:
        poll = select.poll()
        watched = [self._signals, *self._control.descriptors()]
        if self._creator is not None:
            watched.append(self._creator.fileno())
        period = None
        if active:
            watched += [*self._processor.watch(), *self._input.descriptors]
            period = _RETRY if self._input.waiting else self._processor.poll_seconds
        for descriptor in watched:
            poll.register(descriptor, select.POLLIN)
        for stream in self._output.streams():
            poll.register(stream.descriptor, select.POLLOUT)
        return dict(poll.poll(None if period is None else period * 1000))

    def _read_creator(self, ready: dict[int, int]) -> None:
        if self._creator is None or self._creator.fileno() not in ready:
            return
        with contextlib.suppress(OSError):
            if self._creator.receive() == b"adopt":
                self._creator.close()
                self._creator = None
                return
        self._handle(sv.CreatorDied())

    def _read_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._signals, 256):
                self._handle(sv.SignalReceived(signal_name(number), number in self._stop_signals))

    def _feed(self, ready: dict[int, int]) -> None:
        if any(descriptor in ready for descriptor in self._input.descriptors) and (
            self._input.read()
        ):
            self._handle(sv.SignalReceived("INT", stops=True))
        self._input.feed(self._processor.console.write_input)

    def _look(self) -> None:
        if self._exit is not None:
            return
        self._read()
        try:
            state = self._processor.state()
            firmware_exit = self._processor.firmware_exit() if state.ended else None
        except RemoteprocError as error:
            self._output.remark(str(error))
            return
        self._handle(sv.StateObserved(state, firmware_exit))

    def _read(self) -> bool:
        for text in self._processor.remarks():
            self._output.remark(text)
        if data := self._processor.console.read_output():
            self._output.firmware(data)
        return bool(data)

    def _read_rest(self) -> None:
        for _ in range(_LAST_READS):
            if not self._read():
                return

    def _handle(self, event: sv.Event) -> None:
        for effect in self._supervision.on(event):
            match effect:
                case sv.Action(operation):
                    self._handle(self._perform(operation))
                case sv.Reply(error):
                    self._control.reply(error)
                case sv.Log(text):
                    self._output.remark(text)
                case sv.Terminate(status, reason):
                    self._terminate(status, reason)

    def _perform(self, operation: Operation) -> sv.ActionDone:
        if operation is Operation.STOP:
            self._read_rest()
        return self._session.perform(operation)

    def _terminate(self, status: int, reason: str, error: RemoteprocError | None = None) -> None:
        """Release the processor, record the exit; reply with the error to a waiting command."""
        with contextlib.suppress(Exception):  # reading may be the very thing that failed
            self._read_rest()
        try:
            self._session.release()
        except Exception as failure:  # the claim stays on record
            self._output.remark(f"cannot release processor {self._processor.name}: {failure}")
        # Readers of the output get all of it before any process learns of the end.
        self._output.flush(_LINGER)
        try:
            container_dir.write_exit(Exit(status, time.time(), reason), self._directory)
        except (RemoteprocError, OSError) as failure:
            if self._creator is None:  # otherwise the creator has failed and says why
                self._output.remark(f"cannot record the exit: {failure}")
                self._output.flush(_LINGER)
        self._control.reply(error)
        self._exit = status
