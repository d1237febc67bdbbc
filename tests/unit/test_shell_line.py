"""Proves that a shell's line is understood whole, or refused."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from domain.shell_line import steps


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("status", [("", "status")]),
        (" status||exit 1 ", [("", "status"), ("||", "exit", "1")]),
        (
            "status && printed 'a | b' || exit 1",
            [("", "status"), ("&&", "printed", "a | b"), ("||", "exit", "1")],
        ),
        ('printed "it\'s" &&\n status', [("", "printed", "it's"), ("&&", "status")]),
        ("printed ''", [("", "printed", "")]),
        ("pri'nt'ed a\"b\"c", [("", "printed", "abc")]),
    ],
)
def test_lines(line, found):
    assert [(step.operator, *step.words) for step in steps(["/bin/sh", "-c", line])] == found


@pytest.mark.parametrize(
    "line",
    [
        *("", " ", "trace | grep x", "status; false", "status &", "|| exit 1", "status ||"),
        *("a && && b", "printed $X", 'printed "$X"', "printed `x`", "trace > /dev/null"),
        *("printed 'x", "(status)", "status\nfalse", "printed a*", "a \\\n b", "status # all"),
    ],
)
def test_lines_that_are_refused(line):
    with pytest.raises(InvalidRequest, match="is not understood"):
        steps(["sh", "-c", line])


@given(st.text())
def test_what_is_taken_is_what_a_shell_would_run(line):
    try:
        found = steps(["sh", "-c", line])
    except InvalidRequest:
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words = [word for step in found for word in (step.operator, *step.words)][1:]
    assert words == list(lexer)
