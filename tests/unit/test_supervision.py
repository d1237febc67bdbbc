"""Proves what a supervisor does about every event in every phase, and over any sequence of them:
one end at most, one answer for each question, nothing done after the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ProcessorFault, WrongState
from domain.processor import FirmwareExit, ProcessorState
from domain.supervision import (
    Abandoned,
    Act,
    Answer,
    Asked,
    Done,
    Effect,
    Finish,
    Phase,
    Say,
    Seen,
    Signalled,
    Supervision,
)

FAULT = ProcessorFault("cannot do it", errno=5)
VERBS = ("start", "stop", "kill", "pause", "resume")


def perform(machine, event, error=None):
    """Feed an event as a supervisor does: each Act is done (or fails) at once."""
    effects = []
    for effect in machine.on(event):
        effects.append(effect)
        if isinstance(effect, Act):
            effects += perform(machine, Done(effect.verb, error))
    return effects


def machine_in(phase):
    machine = Supervision("m4")
    path = {
        Phase.CREATED: [],
        Phase.RUNNING: ["start"],
        Phase.PAUSED: ["start", "pause"],
        Phase.ENDED: ["start", "stop"],
    }
    for verb in path[phase]:
        perform(machine, Asked(verb))
    assert machine.phase is phase
    return machine


def seen(word, *ending):
    return Seen(ProcessorState(word), FirmwareExit(*ending) if ending else None)


STOPPED, EXIT_KILLED = Finish(0, "stopped on request"), Finish(137, "killed")
C, R, P, E = Phase.CREATED, Phase.RUNNING, Phase.PAUSED, Phase.ENDED
LEGAL: dict[tuple[Phase, str], tuple[list[Effect], Phase]] = {
    (C, "start"): ([Act("start"), Answer()], R),
    (C, "stop"): ([STOPPED], E),
    (C, "kill"): ([EXIT_KILLED], E),
    (R, "stop"): ([Act("stop"), STOPPED], E),
    (R, "kill"): ([Act("stop"), EXIT_KILLED], E),
    (R, "pause"): ([Act("pause"), Answer()], P),
    (P, "stop"): ([Act("stop"), STOPPED], E),
    (P, "kill"): ([Act("stop"), EXIT_KILLED], E),
    (P, "resume"): ([Act("resume"), Answer()], R),
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("verb", [*VERBS, "dance", ""])
def test_every_question_in_every_phase(phase, verb):
    machine = machine_in(phase)
    effects = perform(machine, Asked(verb))
    if (phase, verb) in LEGAL:
        assert (effects, machine.phase) == LEGAL[phase, verb]
        return
    [answer] = effects
    assert isinstance(answer.error, WrongState)
    assert answer.error.message == f"cannot {verb} firmware on m4: it is {phase.value}"
    assert machine.phase is phase


@pytest.mark.parametrize(("phase", "verb"), LEGAL)
def test_a_failure_is_answered_and_changes_nothing(phase, verb):
    machine = machine_in(phase)
    effects = perform(machine, Asked(verb), FAULT)
    if not any(isinstance(effect, Act) for effect in LEGAL[phase, verb][0]):
        assert (effects, machine.phase) == LEGAL[phase, verb], "nothing was done that could fail"
        return
    assert effects[1:] == [Answer(FAULT)]
    assert machine.phase is phase
    assert (perform(machine, Asked(verb)), machine.phase) == LEGAL[phase, verb], "a second try"


@pytest.mark.parametrize(
    ("phase", "effects"),
    [(C, [STOPPED]), (R, [Act("stop"), STOPPED]), (P, [Act("stop"), STOPPED]), (E, [])],
)
def test_stop_signal(phase, effects):
    machine = machine_in(phase)
    assert perform(machine, Signalled("TERM", True)) == effects
    assert machine.phase is E


@pytest.mark.parametrize("phase", [C, R, P, E])
def test_other_signal(phase):
    machine = machine_in(phase)
    said = [] if phase is E else [Say("signal HUP ignored")]
    assert perform(machine, Signalled("HUP", False)) == said
    assert machine.phase is phase


@pytest.mark.parametrize("phase", [R, P])
def test_a_stop_signal_that_fails_is_said_and_nobody_is_answered(phase):
    machine = machine_in(phase)
    assert perform(machine, Signalled("TERM", True), FAULT) == [Act("stop"), Say("cannot do it")]
    assert machine.phase is phase
    assert perform(machine, Asked("kill")) == [Act("stop"), EXIT_KILLED]


@pytest.mark.parametrize(
    ("event", "effects"),
    [
        (seen("running"), []),
        (seen("attached"), []),
        (seen("suspended"), []),
        (seen("offline", False), [Finish(0, "m4: the firmware ended")]),
        (seen("offline"), [Finish(0, "m4: the firmware ended")]),
        (seen("offline", False, 0, "exit"), [Finish(0, "m4: the firmware ended: exit")]),
        (
            seen("offline", False, 7, "exit code 7"),
            [
                Say("m4: the firmware ended: exit code 7"),
                Finish(7, "m4: the firmware ended: exit code 7"),
            ],
        ),
        (seen("offline", True), [Say("m4: crashed"), Finish(139, "m4: crashed")]),
        (
            seen("crashed", True, None, "watchdog"),
            [Say("m4: crashed: watchdog"), Finish(139, "m4: crashed: watchdog")],
        ),
        (seen("crashed"), [Say("m4: crashed"), Finish(139, "m4: crashed")]),
        (seen("defunct"), [Say("m4: crashed"), Finish(139, "m4: crashed")]),
        (seen("deleted"), [Finish(0, "m4: the firmware ended")]),
        (seen("detached"), [Finish(0, "m4: the firmware ended")]),
        (seen("recovering"), [Say("m4: state recovering is unknown here; taken as active")]),
    ],
)
@pytest.mark.parametrize("phase", [C, R, P, E])
def test_what_is_seen_of_the_processor(phase, event, effects):
    machine = machine_in(phase)
    if phase in (C, E):
        effects = []  # the processor is not, or no longer, ours
    assert perform(machine, event) == effects
    ended = any(isinstance(effect, Finish) for effect in effects)
    assert machine.phase is (E if ended else phase)


def test_an_unknown_state_is_said_once_each():
    machine = machine_in(R)
    assert len(perform(machine, seen("dreaming"))) == 1
    assert perform(machine, seen("dreaming")) == []
    assert perform(machine, seen("running")) == []
    assert len(perform(machine, seen("sleeping"))) == 1


@pytest.mark.parametrize("phase", [C, R, P])
def test_abandoned(phase):
    machine = machine_in(phase)
    assert perform(machine, Abandoned()) == [Finish(137, "abandoned before it was created")]
    assert machine.phase is E
    assert perform(machine, Abandoned()) == []


errors = st.sampled_from([None, None, FAULT])
words = ["offline", "running", "crashed", "attached", "suspended", "deleted", "weird", "weirder"]
endings = st.none() | st.builds(
    FirmwareExit, st.booleans(), st.none() | st.integers(0, 255), st.sampled_from(["", "watchdog"])
)
events = st.one_of(
    st.builds(Asked, st.sampled_from([*VERBS, "dance"])),
    st.builds(Signalled, st.sampled_from(["TERM", "HUP"]), st.booleans()),
    st.builds(Seen, st.sampled_from(words).map(ProcessorState), endings),
    # Rare in life, and it ends most sequences: rare here.
    st.just(Asked("pause")),
    st.just(Asked("start")),
)
steps = st.lists(st.tuples(events, errors), max_size=30)
last = st.sampled_from([None, Abandoned()])


def answers(effects):
    return sum(isinstance(effect, Answer | Finish) for effect in effects)


@given(steps, last, steps)
def test_any_sequence(before, abandoned, after):
    machine = Supervision("m4")
    finished = 0
    for event, error in [*before, *([(abandoned, None)] if abandoned else []), *after]:
        ended = machine.phase is E
        phase = machine.phase
        effects = perform(machine, event, error)
        finishes = [effect for effect in effects if isinstance(effect, Finish)]
        finished += len(finishes)
        assert finished <= 1
        assert (finished == 1) == (machine.phase is E)
        if finishes:
            assert effects[-1] is finishes[0], "nothing comes after the end"
        if ended:
            assert all(isinstance(effect, Answer) and effect.error for effect in effects)
        if isinstance(event, Asked):
            assert answers(effects) == 1
        else:
            assert not any(isinstance(effect, Answer) for effect in effects)
        if error and any(isinstance(effect, Act) for effect in effects):
            assert machine.phase is phase


@given(steps, st.sampled_from(VERBS), steps)
def test_a_failed_request_leaves_no_trace(before, verb, after):
    """Two supervisors live the same life, but for one request that fails in one of them."""
    plain, tried = Supervision("m4"), Supervision("m4")
    for event, error in before:
        perform(plain, event, error)
        perform(tried, event, error)
    effects = tried.on(Asked(verb))
    if not isinstance(effects[0], Act):
        return
    assert tried.on(Done(effects[0].verb, FAULT)) == [Answer(FAULT)]
    for event, error in after:
        expected, found = perform(plain, event, error), perform(tried, event, error)
        # By their words: errors that say the same are not equal.
        assert list(map(repr, expected)) == list(map(repr, found))
