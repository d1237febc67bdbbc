"""Proves that text from elsewhere can neither break a line nor command a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text import printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("m4 é 日本", "m4 é 日本"),
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b", "\\x9b"),
        ("\u202e", "\\u202e"),
        ("\udcff", "\\udcff"),
    ],
)
def test_unprintable_characters_are_escaped(text, expected):
    assert printable(text) == expected


@given(st.text())
def test_the_result_is_printable(text):
    assert printable(text).isprintable()
