"""Proves what each processor state allows, and that a word of a later kernel does no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.processor import ProcessorState

# Linux drivers/remoteproc/remoteproc_sysfs.c, rproc_state_string, and what it has had before.
FACTS = {
    # word:       known startable crashed ended
    "offline": (True, True, False, True),
    "running": (True, False, False, False),
    "attached": (True, False, False, False),
    "suspended": (True, False, False, False),
    "crashed": (True, False, True, True),
    "defunct": (True, False, True, True),
    "deleted": (True, False, False, True),
    "detached": (True, False, False, True),
    "invalid": (True, False, False, True),
}
STRANGE = ["recovering", "", "unknown", "Running", "running ", "offline\n"]


@pytest.mark.parametrize("word", FACTS)
def test_known_words(word):
    state = ProcessorState(word)
    facts = (state.known, state.startable, state.crashed, state.ended)
    assert facts == FACTS[word]


@given(st.one_of(st.sampled_from(STRANGE), st.text()).filter(lambda word: word not in FACTS))
def test_a_word_never_heard_of_is_active_and_not_ours(word):
    state = ProcessorState(word)
    assert not state.known
    assert not state.startable, "it must not be started over"
    assert not state.ended and not state.crashed, "it must not end a container"
    assert state == word, "it is shown as the kernel says it"
