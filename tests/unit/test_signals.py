"""Proves which spellings of a signal are understood, and which signals stop firmware."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.linux.light_signal import signal_name
from domain.errors import InvalidRequest
from domain.signals import read_signal, stop_signals

STOP = "org.opencontainers.image.stopSignal"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("TERM", 15), ("SIGTERM", 15), ("term", 15), ("sigterm", 15), ("SigTerm", 15)),
        *(("15", 15), ("KILL", 9), ("9", 9), ("1", 1), ("64", 64), ("37", 37)),
        *(("SIGRTMIN", 34), ("RTMAX", 64), ("CLD", 17), ("015", 15)),
        *(("SIGRTMIN+3", 37), ("rtmax-1", 63), ("RTMIN+0", 34), ("RTMAX-30", 34)),
    ],
)
def test_known(text, number):
    assert read_signal(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "65", "-1", "+9", "1.5", " 9", "9 ", "1_0", "0x9", "9" * 5000),
        *("SIG", "SIGSIGTERM", "FOO", "٣", "SIG_DFL", "NSIG"),
        *("RTMIN-1", "RTMAX+1", "RTMIN+31", "RTMIN+", "RTMIN+" + "9" * 5000, "RTMIN+٣", "RTMIN*3"),
    ],
)
def test_unknown(text):
    with pytest.raises(InvalidRequest, match="unknown signal"):
        read_signal(text)


@given(st.text())
def test_any_text_is_a_signal_or_refused(text):
    try:
        assert 1 <= read_signal(text) <= 64
    except InvalidRequest:
        pass


@pytest.mark.parametrize("number", sorted(signal.valid_signals()))
def test_names_are_read_back(number):
    assert read_signal(signal_name(number)) == number


@pytest.mark.parametrize(
    ("own", "numbers"),
    [
        (None, {2, 3, 15, 37}),
        ("", {2, 3, 15, 37}),
        ("SIGQUIT", {2, 3, 15, 37}),
        ("10", {2, 3, 15, 37, 10}),
        ("SIGRTMIN+4", {2, 3, 15, 37, 38}),
        ("SIGINT", {2, 3, 15, 37}),
        ("NONSENSE", {2, 3, 15, 37}),
        ("9" * 5000, {2, 3, 15, 37}),
    ],
)
def test_stop_signals(own, numbers):
    assert stop_signals({} if own is None else {STOP: own}) == numbers
