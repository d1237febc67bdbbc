"""Light JSON is the JSON of Python's package, byte for byte, and refuses what that refuses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.encoding import light_json
from tests.architecture.sources import ROOT

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
@example({"a": [], "b": {}, "c": [{}], "\ud800": '"\\/\b\x00\x7f\u2028'})
def test_what_is_written_is_the_packages(value):
    assert light_json.dumps(value) == json.dumps(value)
    shown = light_json.dumps_for_people(value)
    expected = json.dumps(value, indent=2, ensure_ascii=False)
    assert shown == expected or not expected.replace("\n", "").isprintable()
    assert shown.replace("\n", "").isprintable()
    assert repr(json.loads(shown)) == repr(json.loads(expected))


@given(VALUES, st.sampled_from(["", " ", "\n\t\r "]))
def test_what_is_read_is_the_packages(value, blank):
    for text in (json.dumps(value), json.dumps(value, indent=2)):
        assert light_json.loads(f"{blank}{text}{blank}") == value
        assert light_json.loads(text.encode()) == value


@given(st.text() | st.text('{}[]",:0123456789.eE-+ \\untrfals'))
@example("")
@example("{} {}")
@example("[1,]")
@example('{"a"}')
@example("\ufeff{}")
@example("nul")
@example('"\n"')
def test_what_is_no_json_is_refused(text):
    try:
        expected = json.loads(text)
    except ValueError as error:
        with pytest.raises(ValueError) as refused:
            light_json.loads(text)
        if not text.startswith("\ufeff"):
            assert str(refused.value) == str(error)
    else:
        assert repr(light_json.loads(text)) == repr(expected)


def test_bytes_that_are_no_text_and_depth_are_refused():
    with pytest.raises(ValueError):
        light_json.loads(b"\xff")
    with pytest.raises(RecursionError):
        light_json.loads("[" * 100_000)
    with pytest.raises(TypeError):
        light_json.dumps({"a": {1, 2}})
    with pytest.raises(TypeError):
        light_json.dumps({1: 2})


REFUSED = ["", "{", '{"a"', '{"a":}', "[1,]", "nul", '"\n"', "1 2", '{"a": "\\x"}', "{1: 2}"]
ALONE = """
import sys
sys.path.append(sys.argv[1])
from adapters.encoding.light_json import loads
assert "json" not in sys.modules
try:
    loads(sys.argv[2])
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("text", REFUSED)
def test_a_program_without_the_package_refuses_in_the_same_words(text):
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(ROOT), text]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    with pytest.raises(ValueError) as expected:
        json.loads(text)
    assert done.stdout.rstrip("\n") == str(expected.value)


def test_the_first_of_several_values():
    assert light_json.read_first(' {"a": 1} }rest') == ({"a": 1}, 9)
