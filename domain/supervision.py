"""The decisions of a supervisor, from the creation of a container to its end.

A state machine without I/O: the supervisor passes events in and performs, in order, the effects
that come out. After an `Action` the supervisor at once passes in `ActionDone`; but `StateObserved`
if it was to stop firmware that had ended already.
"""

from __future__ import annotations

from domain.container import EXIT_CRASHED, EXIT_KILLED, Operation, Status, check_operation
from domain.errors import ProcessorFault, RemoteprocError, WrongState
from domain.light_types import NamedTuple
from domain.processor import FirmwareExit, ProcessorState

# --- events ---------------------------------------------------------------------------------


class Request(NamedTuple):
    """A process asks for an operation and waits for the reply."""

    operation: Operation


class SignalReceived(NamedTuple):
    """A signal reached the supervisor; `stops` tells whether it asks the firmware to stop."""

    name: str
    stops: bool


class StateObserved(NamedTuple):
    """The supervisor read the processor's state; `firmware_exit` is given if the state ended."""

    state: ProcessorState
    firmware_exit: FirmwareExit | None = None


class ActionDone(NamedTuple):
    """The supervisor has performed an action, or failed to."""

    operation: Operation
    error: RemoteprocError | None = None


class CreatorDied(NamedTuple):
    """The process that was creating the container died before the container was complete."""


# --- effects --------------------------------------------------------------------------------


class Action(NamedTuple):
    """Start, stop, pause or resume the firmware, then report `ActionDone`."""

    operation: Operation


class Reply(NamedTuple):
    """Tell the process that made the last request how it went."""

    error: RemoteprocError | None = None


class Log(NamedTuple):
    """Write one line for the operator into the container's log."""

    text: str


class Terminate(NamedTuple):
    """Release the processor, record the exit, reply to a waiting process, and exit.

    `out_of_memory`: see Exit.
    """

    status: int
    reason: str
    out_of_memory: bool = False


Event = Request | SignalReceived | StateObserved | ActionDone | CreatorDied
Effect = Action | Reply | Log | Terminate

REQUESTS = frozenset(
    (Operation.START, Operation.STOP, Operation.KILL, Operation.PAUSE, Operation.RESUME)
)
"""The operations that a process may ask a supervisor for."""

_ACTIVE = (Status.RUNNING, Status.PAUSED)
_EXIT = {Operation.STOP: (0, "stopped on request"), Operation.KILL: (EXIT_KILLED, "killed")}


class Supervision:
    """The state machine of one container; `processor` is the processor's name for messages."""

    __slots__ = ("_ending", "_logged", "_requested", "_unsure", "processor", "status")

    def __init__(self, processor: str) -> None:
        self.processor = processor
        self.status = Status.CREATED
        self._requested = False  # a process waits for the reply
        self._ending = Operation.STOP  # of a stop that is under way: STOP or KILL
        self._unsure = False  # a stop failed so that it may have stopped the firmware all the same
        self._logged = ""  # the unknown state that was logged last

    @property
    def active(self) -> bool:
        """Whether the firmware runs or is paused."""
        return self.status in _ACTIVE

    def on(self, event: Event) -> list[Effect]:
        """Take one event; return what the supervisor must do, in order."""
        if isinstance(event, Request):
            return self._request(event.operation)
        if self.status is Status.STOPPED:
            return []
        match event:
            case SignalReceived(name, stops):
                return self._end(Operation.STOP) if stops else [Log(f"signal {name} ignored")]
            case ActionDone(operation, error):
                return self._done(operation, error)
            case StateObserved(state, firmware_exit):
                return self._observed(state, firmware_exit)
            case CreatorDied():
                return self._terminate(EXIT_KILLED, "abandoned before it was created")

    def _request(self, operation: Operation) -> list[Effect]:
        subject = f"firmware on {self.processor}"
        if operation not in REQUESTS:
            return [Reply(WrongState(f"a supervisor cannot {operation} {subject}"))]
        try:
            check_operation(operation, self.status, subject)
        except WrongState as error:
            return [Reply(error)]
        self._requested = True
        return self._end(operation) if operation in _EXIT else [Action(operation)]

    def _end(self, operation: Operation) -> list[Effect]:
        self._ending = operation
        if self.status is Status.CREATED:
            return self._terminate(*_EXIT[operation])
        return [Action(Operation.STOP)]

    def _done(self, operation: Operation, error: RemoteprocError | None) -> list[Effect]:
        requested, self._requested = self._requested, False
        if error is not None:
            if operation is Operation.STOP:
                self._unsure = not isinstance(error, ProcessorFault)
            effects: list[Effect] = []
            # A stop that the driver refuses is in the container's log, whoever asked for it.
            if operation is Operation.STOP or not requested:
                effects.append(Log(str(error)))
            if requested:
                effects.append(Reply(error))
            return effects
        if operation is Operation.STOP:
            return self._terminate(*_EXIT[self._ending])
        self.status = Status.PAUSED if operation is Operation.PAUSE else Status.RUNNING
        return [Reply()]

    def _observed(self, state: ProcessorState, firmware_exit: FirmwareExit | None) -> list[Effect]:
        if self.status is Status.CREATED:
            return []
        if not state.ended:
            if state.known or state == self._logged:
                return []
            self._logged = state
            return [Log(f"{self.processor}: state {state} is unknown here; taken as active")]
        end = firmware_exit or FirmwareExit(crashed=state.crashed)
        if self._unsure and not end.crashed:
            return self._terminate(*_EXIT[self._ending])
        why = f": {end.reason}" if end.reason else ""
        if end.out_of_memory:
            text = f"{self.processor}{why}"
            return [Log(text), *self._terminate(EXIT_KILLED, text, out_of_memory=True)]
        if end.crashed:
            text = f"{self.processor}: crashed{why}"
            return [Log(text), *self._terminate(EXIT_CRASHED, text)]
        status = end.status or 0
        text = f"{self.processor}: the firmware ended{why}"
        return [*([Log(text)] if status else []), *self._terminate(status, text)]

    def _terminate(self, status: int, reason: str, *, out_of_memory: bool = False) -> list[Effect]:
        self.status = Status.STOPPED
        return [Terminate(status, reason, out_of_memory)]
