"""The process that stands for the firmware: its pid, exit code and stdout are the container's.

It turns what happens (signals, requests, the processor's state) into events for
domain.supervision and performs the effects. One thread, one poll; nothing here blocks but the
kernel's own start and stop.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time

from adapters.state import container_dir
from adapters.supervisor.console_input import Input
from adapters.supervisor.control_socket import Control
from adapters.supervisor.output import Output
from adapters.supervisor.session import ProcessorSession
from domain import supervision as sv
from domain.container import EXIT_KILLED, Exit
from domain.errors import RemoteprocError
from domain.firmware import FirmwareImage
from domain.ports import Processor
from domain.signals import signal_name

_LINGER = 1.0  # seconds that a slow reader gets for the last output
_RETRY = 0.05  # seconds until a console that took no input is asked again
_LAST_READS = 256  # firmware that never falls silent must not keep itself from being stopped
_QUIET = frozenset((signal.SIGCHLD, signal.SIGPIPE, signal.SIGWINCH, signal.SIGCONT))


class Supervisor:
    """One container's supervisor. `directory` is the container's, open; `creator` a socket."""

    def __init__(
        self,
        firmware: FirmwareImage | None,
        stops: frozenset[int],
        processor: Processor,
        session: ProcessorSession,
        directory: int,
        creator: socket.socket,
        stdin: Input,
        output: Output,
    ) -> None:
        self._firmware = firmware
        self._stops = stops
        self._processor = processor
        self._tenure = session
        self._directory = directory
        self._creator: socket.socket | None = creator
        self._input = stdin
        self._output = output
        self._state = sv.Supervision(processor.name)
        self._exit: int | None = None
        self._wake = _catch_signals()
        self._control = Control(directory)

    def run(self) -> int:
        """Serve until the container has ended; return its exit status."""
        try:
            while self._exit is None:
                self._turn()
        except Exception as error:  # a mistake of ours: the processor must not be nobody's
            problem = str(RemoteprocError(f"internal error: {type(error).__name__}: {error}"))
            self._output.remark(problem)
            self._finish(EXIT_KILLED, problem)
        return EXIT_KILLED if self._exit is None else self._exit

    def _turn(self) -> None:
        active = self._state.phase in (sv.Phase.RUNNING, sv.Phase.PAUSED)
        ready = self._poll(active)
        for stream in self._output.streams():
            if ready.get(stream.descriptor, 0):
                stream.write()
        self._hear_creator(ready)
        self._hear_signals()
        for verb in self._control.hear(ready):
            self._handle(sv.Asked(verb))
        if active:
            self._feed(ready)
            self._look()

    def _poll(self, active: bool) -> dict[int, int]:
        poll = select.poll()
        watched = [self._wake, *self._control.descriptors()]
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

    def _hear_creator(self, ready: dict[int, int]) -> None:
        if self._creator is None or self._creator.fileno() not in ready:
            return
        with contextlib.suppress(OSError):
            if self._creator.recv(16) == b"adopt":
                self._creator.close()
                self._creator = None
                return
        self._handle(sv.Abandoned())

    def _hear_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._wake, 256):
                self._handle(sv.Signalled(signal_name(number), number in self._stops))

    def _feed(self, ready: dict[int, int]) -> None:
        if any(descriptor in ready for descriptor in self._input.descriptors) and (
            self._input.read()
        ):
            self._handle(sv.Signalled("INT", stops=True))
        self._input.feed(self._processor.write_input)

    def _look(self) -> None:
        if self._exit is not None:
            return
        self._read()
        try:
            state = self._processor.state()
            ending = self._processor.firmware_exit() if state.ended else None
        except RemoteprocError as error:
            self._output.remark(str(error))
            return
        self._handle(sv.Seen(state, ending))

    def _read(self) -> bool:
        for text in self._processor.remarks():
            self._output.remark(text)
        if data := self._processor.read_output():
            self._output.firmware(data)
        return bool(data)

    def _read_rest(self) -> None:
        for _ in range(_LAST_READS):
            if not self._read():
                return

    def _handle(self, event: sv.Event) -> None:
        for effect in self._state.on(event):
            match effect:
                case sv.Act(verb):
                    self._handle(self._act(verb))
                case sv.Answer(error):
                    self._control.answer(error)
                case sv.Say(text):
                    self._output.remark(text)
                case sv.Finish(status, reason):
                    self._finish(status, reason)

    def _act(self, verb: str) -> sv.Done:
        try:
            match verb:
                case "start":
                    self._tenure.begin(self._firmware)
                    self._record_start()
                case "stop":
                    self._read_rest()
                    self._processor.stop()
                case "pause":
                    self._processor.pause()
                    container_dir.write_paused(True, self._directory)
                case "resume":
                    self._processor.resume()
                    container_dir.write_paused(False, self._directory)
        except RemoteprocError as error:
            return sv.Done(verb, error)
        return sv.Done(verb)

    def _record_start(self) -> None:
        try:
            container_dir.write_started(time.time(), self._directory)
        except RemoteprocError:
            self._tenure.end()  # what runs unrecorded would be nobody's
            raise

    def _finish(self, status: int, reason: str) -> None:
        with contextlib.suppress(Exception):  # the last words, where that is not what went wrong
            self._read_rest()
        try:
            self._tenure.end()
        except Exception as error:  # what is to be undone stays on record
            self._output.remark(f"cannot give {self._processor.name} back: {error}")
        # Readers get the last words before anyone is told of the end.
        self._output.flush(_LINGER)
        try:
            container_dir.write_exit(Exit(status, time.time(), reason), self._directory)
        except (RemoteprocError, OSError) as error:
            if self._creator is None:  # else whoever failed to create says why
                self._output.remark(f"cannot record the exit: {error}")
                self._output.flush(_LINGER)
        self._control.answer(None)
        self._exit = status


def _catch_signals() -> int:
    """Have all signals that can be caught arrive as bytes on the returned descriptor."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in signal.valid_signals() - _QUIET - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, lambda *_: None)
    return reader
