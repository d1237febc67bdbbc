"""The light NamedTuple and StrEnum behave as those of typing and enum do."""

from __future__ import annotations

import copy
import enum
import pickle
import sys
import typing

import pytest

from domain import light_types


class Light(light_types.NamedTuple):
    """A record."""

    name: str
    size: int = 3
    note: str | None = None

    @property
    def double(self) -> int:
        return 2 * self.size

    @classmethod
    def empty(cls):
        return cls("")


class Original(typing.NamedTuple):
    name: str
    size: int = 3
    note: str | None = None


class LightKind(light_types.StrEnum):
    """A kind."""

    ONE = "one"
    TWO = "two words"


if sys.version_info >= (3, 11):

    class OriginalKind(enum.StrEnum):
        ONE = "one"
        TWO = "two words"
else:  # there is no original to compare with
    OriginalKind = LightKind


CALLS = [
    (("a",), {}),
    (("a", 1), {}),
    (("a", 1, "n"), {}),
    ((), {"name": "a"}),
    ((), {"size": 5, "name": "a"}),
    (("a",), {"note": "n"}),
    ((), {}),
    ((), {"size": 5}),
    (("a", 1, "n", 4), {}),
    (("a",), {"name": "b"}),
    (("a",), {"other": "b"}),
]


@pytest.mark.parametrize(("values", "named"), CALLS)
def test_a_record_takes_what_the_original_takes(values, named):
    try:
        expected = Original(*values, **named)
    except TypeError:
        with pytest.raises(TypeError):
            Light(*values, **named)
        return
    made = Light(*values, **named)
    assert tuple(made) == tuple(expected) and hash(made) == hash(expected)
    assert made._asdict() == expected._asdict()
    assert (made.name, made.size, made.note) == tuple(expected)
    assert repr(made) == repr(expected).replace("Original", "Light")


def test_a_record_is_replaced_copied_and_matched():
    record = Light("a", 4)
    assert record._replace(size=5) == ("a", 5, None) and record.size == 4
    assert type(record._replace(size=5)) is Light and record.double == 8
    assert Light._make(["a", 4, None]) == record and Light._fields == Original._fields
    assert Light.empty() == ("", 3, None)
    for same in (copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert same == record and type(same) is Light
    match record:
        case Light("a", size):
            assert size == 4
        case _:
            pytest.fail("no match")
    with pytest.raises(TypeError):
        record._replace(colour="red")  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        record.name = "b"  # type: ignore[misc]


def test_a_kind_is_its_text_and_only_itself():
    for kind in (LightKind, OriginalKind):
        assert kind("two words") is kind.TWO and kind(kind.ONE) is kind.ONE
        assert kind.TWO in ("two words",) and f"{kind.TWO}" == str(kind.TWO) == "two words"
        assert kind.TWO.value == "two words" and type(kind.TWO.value) is str
        assert list(kind) == ["one", "two words"]
        assert kind.ONE.encode() == b"one"
        assert pickle.loads(pickle.dumps(kind.TWO)) is kind.TWO
        assert copy.deepcopy(kind.TWO) is kind.TWO
        with pytest.raises(ValueError, match="three"):
            kind("three")
