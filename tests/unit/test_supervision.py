"""Proves what a supervisor does about every event in every status, and over any sequence of them:
one exit at most, one reply to each request, nothing done after the exit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.container import Operation, Status
from domain.errors import HostFault, ProcessorFault, WrongState
from domain.processor import FirmwareExit, ProcessorState
from domain.supervision import (
    Action,
    ActionDone,
    CreatorDied,
    Effect,
    Log,
    Reply,
    Request,
    SignalReceived,
    StateObserved,
    Supervision,
    Terminate,
)

FAULT = ProcessorFault("cannot do it", errno=5)
START, STOP, KILL = Operation.START, Operation.STOP, Operation.KILL
PAUSE, RESUME = Operation.PAUSE, Operation.RESUME
OTHERS = (Operation.DELETE, Operation.UPDATE, Operation.EXEC)  # which no supervisor performs
STATUSES = (Status.CREATED, Status.RUNNING, Status.PAUSED, Status.STOPPED)


def perform(machine, event, error=None):
    """Feed an event as a supervisor does: each Action is done (or fails) at once."""
    effects = []
    for effect in machine.on(event):
        effects.append(effect)
        if isinstance(effect, Action):
            effects += perform(machine, ActionDone(effect.operation, error))
    return effects


def machine_in(status):
    machine = Supervision("m4")
    path = {
        Status.CREATED: [],
        Status.RUNNING: [START],
        Status.PAUSED: [START, PAUSE],
        Status.STOPPED: [START, STOP],
    }
    for operation in path[status]:
        perform(machine, Request(operation))
    assert machine.status is status
    return machine


def seen(word, *ending):
    return StateObserved(ProcessorState(word), FirmwareExit(*ending) if ending else None)


STOPPED, EXIT_KILLED = Terminate(0, "stopped on request"), Terminate(137, "killed")
C, R, P, E = Status.CREATED, Status.RUNNING, Status.PAUSED, Status.STOPPED
LEGAL: dict[tuple[Status, Operation], tuple[list[Effect], Status]] = {
    (C, START): ([Action(START), Reply()], R),
    (C, STOP): ([STOPPED], E),
    (C, KILL): ([EXIT_KILLED], E),
    (R, STOP): ([Action(STOP), STOPPED], E),
    (R, KILL): ([Action(STOP), EXIT_KILLED], E),
    (R, PAUSE): ([Action(PAUSE), Reply()], P),
    (P, STOP): ([Action(STOP), STOPPED], E),
    (P, KILL): ([Action(STOP), EXIT_KILLED], E),
    (P, RESUME): ([Action(RESUME), Reply()], R),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("operation", list(Operation))
def test_every_request_in_every_status(status, operation):
    machine = machine_in(status)
    effects = perform(machine, Request(operation))
    if (status, operation) in LEGAL:
        assert (effects, machine.status) == LEGAL[status, operation]
        return
    [answer] = effects
    assert isinstance(answer.error, WrongState)
    if operation in OTHERS:
        assert answer.error.message == f"a supervisor cannot {operation} firmware on m4"
    else:
        assert answer.error.message == f"cannot {operation} firmware on m4: it is {status.value}"
    assert machine.status is status


@pytest.mark.parametrize(("status", "operation"), LEGAL)
def test_a_failure_is_answered_and_changes_nothing(status, operation):
    machine = machine_in(status)
    effects = perform(machine, Request(operation), FAULT)
    legal = LEGAL[status, operation]
    if not any(isinstance(effect, Action) for effect in legal[0]):
        assert (effects, machine.status) == legal, "nothing was done that could fail"
        return
    logged = [Log("cannot do it")] if operation in (STOP, KILL) else []
    assert effects[1:] == [*logged, Reply(FAULT)]
    assert machine.status is status
    assert (perform(machine, Request(operation)), machine.status) == legal, "a second try"


@pytest.mark.parametrize(
    ("status", "effects"),
    [(C, [STOPPED]), (R, [Action(STOP), STOPPED]), (P, [Action(STOP), STOPPED]), (E, [])],
)
def test_stop_signal(status, effects):
    machine = machine_in(status)
    assert perform(machine, SignalReceived("TERM", True)) == effects
    assert machine.status is E


@pytest.mark.parametrize("status", [C, R, P, E])
def test_other_signal(status):
    machine = machine_in(status)
    said = [] if status is E else [Log("signal HUP ignored")]
    assert perform(machine, SignalReceived("HUP", False)) == said
    assert machine.status is status


@pytest.mark.parametrize("status", [R, P])
def test_a_stop_signal_that_fails_is_said_and_nobody_is_answered(status):
    machine = machine_in(status)
    effects = perform(machine, SignalReceived("TERM", True), FAULT)
    assert effects == [Action(STOP), Log("cannot do it")]
    assert machine.status is status
    assert perform(machine, Request(KILL)) == [Action(STOP), EXIT_KILLED]


@pytest.mark.parametrize(
    ("event", "effects"),
    [
        (seen("running"), []),
        (seen("attached"), []),
        (seen("suspended"), []),
        (seen("offline", False), [Terminate(0, "m4: the firmware ended")]),
        (seen("offline"), [Terminate(0, "m4: the firmware ended")]),
        (seen("offline", False, 0, "exit"), [Terminate(0, "m4: the firmware ended: exit")]),
        (
            seen("offline", False, 7, "exit code 7"),
            [
                Log("m4: the firmware ended: exit code 7"),
                Terminate(7, "m4: the firmware ended: exit code 7"),
            ],
        ),
        (seen("offline", True), [Log("m4: crashed"), Terminate(139, "m4: crashed")]),
        (
            seen("crashed", True, None, "watchdog"),
            [Log("m4: crashed: watchdog"), Terminate(139, "m4: crashed: watchdog")],
        ),
        (seen("crashed"), [Log("m4: crashed"), Terminate(139, "m4: crashed")]),
        (
            seen("crashed", True, None, "why", True),
            [Log("m4: why"), Terminate(137, "m4: why", True)],
        ),
        (seen("defunct"), [Log("m4: crashed"), Terminate(139, "m4: crashed")]),
        (seen("deleted"), [Terminate(0, "m4: the firmware ended")]),
        (seen("detached"), [Terminate(0, "m4: the firmware ended")]),
        (seen("recovering"), [Log("m4: state recovering is unknown here; taken as active")]),
    ],
)
@pytest.mark.parametrize("status", [C, R, P, E])
def test_what_is_seen_of_the_processor(status, event, effects):
    machine = machine_in(status)
    if status in (C, E):
        effects = []  # the processor is not, or no longer, ours
    assert perform(machine, event) == effects
    ended = any(isinstance(effect, Terminate) for effect in effects)
    assert machine.status is (E if ended else status)


def test_an_unknown_state_is_said_once_each():
    machine = machine_in(R)
    assert len(perform(machine, seen("dreaming"))) == 1
    assert perform(machine, seen("dreaming")) == []
    assert perform(machine, seen("running")) == []
    assert len(perform(machine, seen("sleeping"))) == 1


@pytest.mark.parametrize("status", [C, R, P])
def test_a_creator_that_dies(status):
    machine = machine_in(status)
    assert perform(machine, CreatorDied()) == [Terminate(137, "abandoned before it was created")]
    assert machine.status is E
    assert perform(machine, CreatorDied()) == []


errors = st.sampled_from([None, None, FAULT])
words = ["offline", "running", "crashed", "attached", "suspended", "deleted", "weird", "weirder"]
endings = st.none() | st.builds(
    FirmwareExit, st.booleans(), st.none() | st.integers(0, 255), st.sampled_from(["", "watchdog"])
)
events = st.one_of(
    st.builds(Request, st.sampled_from(list(Operation))),
    st.builds(SignalReceived, st.sampled_from(["TERM", "HUP"]), st.booleans()),
    st.builds(StateObserved, st.sampled_from(words).map(ProcessorState), endings),
    # Rare in life, and it ends most sequences: rare here.
    st.just(Request(PAUSE)),
    st.just(Request(START)),
)
steps = st.lists(st.tuples(events, errors), max_size=30)
last = st.sampled_from([None, CreatorDied()])


def answers(effects):
    return sum(isinstance(effect, Reply | Terminate) for effect in effects)


@given(steps, last, steps)
def test_any_sequence(before, abandoned, after):
    machine = Supervision("m4")
    finished = 0
    for event, error in [*before, *([(abandoned, None)] if abandoned else []), *after]:
        ended = machine.status is E
        status = machine.status
        effects = perform(machine, event, error)
        finishes = [effect for effect in effects if isinstance(effect, Terminate)]
        finished += len(finishes)
        assert finished <= 1
        assert (finished == 1) == (machine.status is E)
        if finishes:
            assert effects[-1] is finishes[0], "nothing comes after the end"
        if ended:
            assert all(isinstance(effect, Reply) and effect.error for effect in effects)
        if isinstance(event, Request):
            assert answers(effects) == 1
        else:
            assert not any(isinstance(effect, Reply) for effect in effects)
        if error and any(isinstance(effect, Action) for effect in effects):
            assert machine.status is status


@given(steps, st.sampled_from(list(Operation)), steps)
def test_a_failed_request_leaves_no_trace(before, operation, after):
    """Two supervisors get the same events, but for one request that fails in one of them."""
    plain, tried = Supervision("m4"), Supervision("m4")
    for event, error in before:
        perform(plain, event, error)
        perform(tried, event, error)
    effects = tried.on(Request(operation))
    if not isinstance(effects[0], Action):
        return
    assert tried.on(ActionDone(effects[0].operation, FAULT))[-1:] == [Reply(FAULT)]
    for event, error in after:
        expected, found = perform(plain, event, error), perform(tried, event, error)
        # By their words: errors that say the same are not equal.
        assert list(map(repr, expected)) == list(map(repr, found))


@pytest.mark.parametrize(("operation", "status"), [(STOP, 0), (KILL, 137)])
def test_an_end_after_a_stop_whose_effect_could_not_be_read_is_that_stop(operation, status):
    machine = machine_in(Status.RUNNING)
    perform(machine, Request(operation), HostFault("cannot read the state", errno=5))
    (end,) = perform(machine, seen("offline", False))
    assert end.status == status and end.reason != "m4: the firmware ended"


def test_an_end_after_a_stop_that_the_driver_refused_is_the_firmwares():
    machine = machine_in(Status.RUNNING)
    perform(machine, Request(KILL), FAULT)
    (end,) = perform(machine, seen("offline", False))
    assert end == Terminate(0, "m4: the firmware ended")
