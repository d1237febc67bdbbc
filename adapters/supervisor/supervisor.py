"""The process that stands for the firmware: its pid, exit code and stdout are the container's.

The supervisor turns signals, requests and the processor's state into events for
domain.supervision and performs the effects. One thread does that, with one poll; only the kernel's
start and stop can block it. (The main thread waits: see adapters.supervisor.front.)
"""

from __future__ import annotations

import os
import select
from time import monotonic, time

from adapters.linux.light_signal import signal_name
from adapters.state.exit_record import ExitRecord
from adapters.supervisor.control_socket import ControlSocket
from adapters.supervisor.signal_pipe import open_signal_pipe
from domain import supervision as sv
from domain.container import EXIT_KILLED, Exit, Operation
from domain.errors import RAISE_LIMIT, HostFault, RemoteprocError, internal_error

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.isolation.limit_hit import LimitHit
    from adapters.linux.channel import Channel
    from adapters.supervisor.console_input import Input
    from adapters.supervisor.output import Output
    from domain.ports import Processor
    from domain.processor import FirmwareExit
    from domain.session import ProcessorSession


_LINGER = 1.0  # seconds that a slow reader gets for the last output
_RETRY = 0.05  # seconds until a console that took no input, or a look that failed, has another try
_LAST_READS_WITHIN = 0.2  # seconds: firmware that prints without end must not delay its own stop


class Supervisor:
    """One container's supervisor.

    `directory` is the container's, open. The creator says `adopt` on the channel `creator` once
    the container is complete; if the creator dies before, the supervisor ends. `termination_log`
    is the file for the reason of a failure, `` for none.
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
        limit_hit: LimitHit,
        termination_log: str = "",
    ) -> None:
        self._stop_signals = stop_signals
        self._processor = processor
        self._session = session
        self._record = ExitRecord(directory)
        self._creator: Channel | None = creator
        self._input = stdin
        self._output = output
        self._termination_log = termination_log
        self._limit_hit = limit_hit
        self._supervision = sv.Supervision(processor.name)
        self._exit: int | None = None
        self._signals = open_signal_pipe()
        self._control = ControlSocket(directory)
        self._poll = select.poll()
        self._polled: dict[int, int] = {}  # what `_poll` polls: events by descriptor
        self._watched: Sequence[int] = ()  # the processor's descriptors among these
        self._trouble = ""  # why the state could not be read at the last look
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
            problem = RemoteprocError(internal_error(error))
            self._output.remark(str(problem))
            self._terminate(Exit(EXIT_KILLED, 0.0, str(problem)), problem)
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
            # While the state cannot be told, these stay ready: to poll them would leave no pause.
            self._watched = () if self._trouble else self._processor.watch()
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
        if self._input.waiting or self._trouble:
            return _RETRY if seconds is None else min(seconds, _RETRY)
        return seconds

    def _read_creator(self, ready: dict[int, int]) -> None:
        if self._creator is None or self._creator.fileno() not in ready:
            return
        try:
            word = self._creator.receive()
        except OSError:
            word = b""
        if word == b"adopt":
            self._creator.close()
            self._creator = None
        else:
            self._handle(sv.CreatorDied())

    def _read_signals(self) -> None:
        try:
            numbers = os.read(self._signals, 256)
        except BlockingIOError:
            return
        for number in numbers:
            self._handle(sv.SignalReceived(signal_name(number), number in self._stop_signals))

    def _feed(self, ready: dict[int, int]) -> None:
        has_input = any(descriptor in ready for descriptor in self._input.descriptors)
        if has_input and self._input.read():
            self._handle(sv.SignalReceived("INT", stops=True))
        self._input.feed(self._processor.console.write_input)

    def _look(self, ready: dict[int, int]) -> None:
        """Read state and output if a descriptor announces something or a read is due."""
        if self._exit is not None:
            return
        now = monotonic()
        announced = not self._last_state or any(fd in ready for fd in self._watched)
        if announced or self._trouble or _due(self._next_read, now):
            self._last_read = now
            self._read()
        elif not _due(self._next_state, now):
            return
        self._last_state = now
        try:
            observed = self._observe()
        except RemoteprocError as error:
            if str(error) != self._trouble:  # said once, not at each look
                self._trouble = str(error)
                self._output.remark(self._trouble)
            return
        self._trouble = ""
        self._pass_remarks()
        self._handle(observed)

    def _observe(self) -> sv.StateObserved:
        state = self._processor.state()
        return sv.StateObserved(state, self._firmware_exit() if state.ended else None)

    def _firmware_exit(self) -> FirmwareExit:
        firmware_exit = self._processor.firmware_exit()
        if firmware_exit.crashed and (words := self._limit(memory_only=True)):
            return firmware_exit._replace(reason=words, out_of_memory=True)
        return firmware_exit

    def _limit(self, *, memory_only: bool = False) -> str:
        try:
            return self._limit_hit(memory_only=memory_only)
        except RemoteprocError as error:  # what happened to the firmware is known all the same
            self._output.remark(f"cannot tell whether a limit of the container was hit: {error}")
            return ""

    def _pass_remarks(self) -> None:
        for text in self._processor.remarks():
            self._output.remark(text)

    def _read(self) -> bool:
        self._pass_remarks()
        if data := self._processor.console.read_output():
            self._output.firmware(data)
        return bool(data)

    def _read_rest(self) -> None:
        deadline = monotonic() + _LAST_READS_WITHIN
        while self._read() and monotonic() < deadline:
            pass

    def _handle(self, event: sv.Event) -> None:
        for effect in self._supervision.on(event):
            match effect:
                case sv.Action(operation):
                    self._handle(self._perform(operation))
                case sv.Reply(error):
                    self._control.reply(error)
                case sv.Log(text):
                    self._output.remark(text)
                case sv.Terminate(status, reason, out_of_memory):
                    self._terminate(Exit(status, 0.0, reason, out_of_memory))

    def _perform(self, operation: Operation) -> sv.Event:
        if operation is Operation.STOP:
            self._read_rest()
            try:
                if (observed := self._observe()).firmware_exit:
                    return observed  # it has ended since the last look
            except RemoteprocError:
                pass  # `_look` says it
        done = self._session.perform(operation)
        if done.error and operation is Operation.START and (words := self._limit()):
            what = f"cannot start processor {self._processor.name}: {words}"
            return done._replace(error=HostFault(what, hint=RAISE_LIMIT))
        return done

    def _terminate(self, exit_: Exit, error: RemoteprocError | None = None) -> None:
        """Release the processor, record the exit now; reply with the error to a waiting command."""
        try:
            self._read_rest()
        except Exception:
            pass  # reading may be the very thing that failed
        try:
            self._session.release()
            self._pass_remarks()
        except Exception as failure:  # the claim stays on record
            self._output.remark(f"cannot release processor {self._processor.name}: {failure}")
        if self._termination_log and exit_.status not in (0, EXIT_KILLED):
            self._write_reason(exit_.reason)
        # Readers of the output get all of it before any process learns of the end.
        self._output.flush(_LINGER)
        try:
            self._record.write(exit_._replace(at=time()))
        except RemoteprocError as failure:
            error = error or failure
            if self._creator is None:  # otherwise the creator has failed and says why
                self._output.remark(f"cannot record the exit: {failure}")
                self._output.flush(_LINGER)
        self._record.close()
        self._control.reply(error)
        self._exit = exit_.status

    def _write_reason(self, reason: str) -> None:
        from adapters.supervisor.termination_log import write_reason

        try:
            write_reason(self._termination_log, reason)
        except OSError as failure:
            self._output.remark(f"cannot write {self._termination_log}: {failure.strerror}")


def _due(when: float | None, now: float) -> bool:
    return when is not None and now >= when
