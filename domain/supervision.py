"""What a supervisor does between the creation of a container and its end.

A pure state machine: events in, effects out. The caller performs the effects in order; for
`Act` it reports back at once with `Done`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from domain.container import EXIT_CRASHED, EXIT_KILLED
from domain.errors import RemoteprocError, WrongState
from domain.processor import FirmwareExit, ProcessorState


class Asked(NamedTuple):
    """Somebody asks for `start`, `stop`, `kill`, `pause` or `resume` and awaits an answer."""

    verb: str


class Signalled(NamedTuple):
    """A signal reached the supervisor; `stops` tells whether it is one that asks to stop."""

    name: str
    stops: bool


class Seen(NamedTuple):
    """The processor was looked at; `ending` is given once its state says that it ended."""

    state: ProcessorState
    ending: FirmwareExit | None = None


class Done(NamedTuple):
    """An `Act` has been performed, or failed."""

    verb: str
    error: RemoteprocError | None = None


class Abandoned(NamedTuple):
    """Whoever was creating the container has died half-way."""


class Act(NamedTuple):
    """Do `start`, `stop`, `pause` or `resume` to the processor and report `Done`."""

    verb: str


class Answer(NamedTuple):
    """Tell whoever asked last how it went."""

    error: RemoteprocError | None = None


class Say(NamedTuple):
    """A remark for the operator."""

    text: str


class Finish(NamedTuple):
    """Clean up, put the exit on record, answer whoever still waits, and end."""

    status: int
    reason: str


Event = Asked | Signalled | Seen | Done | Abandoned
Effect = Act | Answer | Say | Finish


class Phase(Enum):
    """Where in its life the container is, as its supervisor knows."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "stopped"


_LEGAL = {
    "start": (Phase.CREATED,),
    "stop": (Phase.CREATED, Phase.RUNNING, Phase.PAUSED),
    "kill": (Phase.CREATED, Phase.RUNNING, Phase.PAUSED),
    "pause": (Phase.RUNNING,),
    "resume": (Phase.PAUSED,),
}
_EXIT = {"stop": (0, "stopped on request"), "kill": (EXIT_KILLED, "killed")}


class Supervision:
    """The state machine of one container."""

    __slots__ = ("_asked", "_puzzled", "_wanted", "phase", "processor")

    def __init__(self, processor: str) -> None:
        self.processor = processor
        self.phase = Phase.CREATED
        self._asked = ""  # the verb that somebody awaits an answer to
        self._wanted = ""  # `stop` or `kill` while one is under way
        self._puzzled = ""

    def on(self, event: Event) -> list[Effect]:
        """Take one event; return what to do, in order."""
        if self.phase is Phase.ENDED:
            return [Answer(self._refusal(event.verb))] if isinstance(event, Asked) else []
        match event:
            case Asked(verb):
                if self.phase not in _LEGAL.get(verb, ()):
                    return [Answer(self._refusal(verb))]
                self._asked = verb
                return self._end(verb) if verb in _EXIT else [Act(verb)]
            case Signalled(name, stops):
                return self._end("stop") if stops else [Say(f"signal {name} ignored")]
            case Done(verb, error):
                return self._done(verb, error)
            case Seen(state, ending):
                return self._seen(state, ending)
            case Abandoned():
                return self._finish(EXIT_KILLED, "abandoned before it was created")

    def _end(self, how: str) -> list[Effect]:
        self._wanted = how
        if self.phase is Phase.CREATED:
            return self._finish(*_EXIT[how])
        return [Act("stop")]

    def _done(self, verb: str, error: RemoteprocError | None) -> list[Effect]:
        if error is not None:
            self._wanted = ""
            if self._asked:
                self._asked = ""
                return [Answer(error)]
            return [Say(str(error))]
        if verb == "stop":
            return self._finish(*_EXIT[self._wanted])
        self.phase = Phase.PAUSED if verb == "pause" else Phase.RUNNING
        self._asked = ""
        return [Answer()]

    def _seen(self, state: ProcessorState, ending: FirmwareExit | None) -> list[Effect]:
        if self.phase is Phase.CREATED:
            return []
        if not state.ended:
            if state.known or state == self._puzzled:
                return []
            self._puzzled = state
            return [Say(f"{self.processor}: state {state} is unknown here; taken as active")]
        ending = ending or FirmwareExit(crashed=state.crashed)
        why = f": {ending.reason}" if ending.reason else ""
        if ending.crashed:
            text = f"{self.processor}: crashed{why}"
            return [Say(text), *self._finish(EXIT_CRASHED, text)]
        status = ending.status or 0
        text = f"{self.processor}: the firmware ended{why}"
        return [*([Say(text)] if status else []), *self._finish(status, text)]

    def _finish(self, status: int, why: str) -> list[Effect]:
        self.phase = Phase.ENDED
        return [Finish(status, why)]

    def _refusal(self, verb: str) -> WrongState:
        return WrongState(f"cannot {verb} firmware on {self.processor}: it is {self.phase.value}")
