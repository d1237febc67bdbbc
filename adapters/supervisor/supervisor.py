"""The process that stands for the firmware: its pid, exit code and stdout are the container's.

The supervisor turns signals, requests and the processor's state into events for
domain.supervision and performs the effects. It has one thread and one poll; only the kernel's
start and stop can block it.
"""

from __future__ import annotations

import contextlib
import os
import select
from time import monotonic, time
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
    from collections.abc import Sequence

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
        self._poll = select.poll()
        self._polled: dict[int, int] = {}  # what `_poll` polls: events by descriptor
        self._watched: Sequence[int] = ()  # the processor's descriptors among these
        # Monotonic times of the last reads of state and output, 0.0 for never; and of the next
        # reads of what no descriptor announces, None for never.
        self._last_state = self._last_read = 0.0
        self._next_state: float | None = None
        self._next_read: float | None = None

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
        ready = self._wait(active)
        self._read_creator(ready)
        if self._signals in ready:
            self._read_signals()
        for operation in self._control.requests(ready):
            self._handle(sv.Request(operation))
        if active:
            self._feed(ready)
            self._look(ready)
        self._output.write()

    def _wait(self, active: bool) -> dict[int, int]:
        """Sleep until a descriptor is ready or something is due; return the ready descriptors."""
        polled = dict.fromkeys(self._control.descriptors(), select.POLLIN)
        polled[self._signals] = select.POLLIN
        if self._creator is not None:
            polled[self._creator.fileno()] = select.POLLIN
        seconds = None
        if active:
            self._watched = self._processor.watch()
            polled.update(dict.fromkeys(self._watched, select.POLLIN))
            polled.update(dict.fromkeys(self._input.descriptors, select.POLLIN))
            seconds = self._seconds_to_look()
        for stream in self._output.streams():
            polled[stream.descriptor] = select.POLLOUT
        if polled != self._polled:
            self._change_poll(polled)
        return dict(self._poll.poll(None if seconds is None else seconds * 1000))

    def _change_poll(self, polled: dict[int, int]) -> None:
        for descriptor in self._polled.keys() - polled.keys():
            self._poll.unregister(descriptor)
        for descriptor, events in polled.items():
            self._poll.register(descriptor, events)
        self._polled = polled

    def _seconds_to_look(self) -> float | None:
        """Return the seconds until state or output must be read; None if all is announced."""
        if not self._last_state:
            return 0.0  # the firmware has just been started, and may have ended already
        period = self._processor.poll_seconds
        self._next_state = None if period is None else self._last_state + period
        period = self._processor.console.poll_seconds
        self._next_read = None if period is None else self._last_read + period
        times = [due for due in (self._next_state, self._next_read) if due is not None]
        seconds = max(0.0, min(times) - monotonic()) if times else None
        if self._input.waiting:
            return _RETRY if seconds is None else min(seconds, _RETRY)
        return seconds

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

    def _look(self, ready: dict[int, int]) -> None:
        """Read state and output if a descriptor announces something or a read is due."""
        if self._exit is not None:
            return
        now = monotonic()
        announced = not self._last_state or any(fd in ready for fd in self._watched)
        if announced or _due(self._next_read, now):
            self._last_read = now
            self._read()
        elif not _due(self._next_state, now):
            return
        self._last_state = now
        try:
            state = self._processor.state()
            firmware_exit = self._processor.firmware_exit() if state.ended else None
        except RemoteprocError as error:
            self._output.remark(str(error))
            return
        self._pass_remarks()
        self._handle(sv.StateObserved(state, firmware_exit))

    def _pass_remarks(self) -> None:
        for text in self._processor.remarks():
            self._output.remark(text)

    def _read(self) -> bool:
        self._pass_remarks()
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
            container_dir.write_exit(Exit(status, time(), reason), self._directory)
        except (RemoteprocError, OSError) as failure:
            if self._creator is None:  # otherwise the creator has failed and says why
                self._output.remark(f"cannot record the exit: {failure}")
                self._output.flush(_LINGER)
        self._control.reply(error)
        self._exit = status


def _due(when: float | None, now: float) -> bool:
    return when is not None and now >= when
