"""Each input of the corpora runs on its target within the limits, also where there is no Atheris;
and the limits hold."""

from __future__ import annotations

import pytest

from tests.fuzz.target import MEMORY, Target, TooSlow, limited
from tests.fuzz.targets import TARGETS

INPUTS = [(name, path) for name in TARGETS for path in sorted(TARGETS[name].corpus.iterdir())]


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=[f"{n}-{p.name}" for n, p in INPUTS])
def test_an_input(name, path):
    TARGETS[name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_and_zeros(name):
    for size in (0, 1, TARGETS[name].largest):
        TARGETS[name].run(bytes(size))


def fails(function, *answers):
    Target("t", 1, answers, function).run(b"x")


def test_an_answer_is_no_defect_and_any_other_error_is_one():
    def function(data):
        raise ValueError(data)

    fails(function, ValueError)
    with pytest.raises(ValueError):
        fails(function, TypeError)


def test_an_endless_loop_is_a_defect():
    with pytest.raises(TooSlow), limited(seconds=0.1):
        while True:
            pass


def test_c_code_that_takes_too_long_is_a_defect():
    with pytest.raises(TooSlow), limited(seconds=0.1):
        sum(range(50_000_000))


def test_much_memory_is_a_defect():
    fails(lambda _: bytearray(MEMORY // 2))
    with pytest.raises(MemoryError):
        fails(lambda _: bytearray(MEMORY * 2), ValueError)  # the process may free some meanwhile
    assert bytearray(3 * MEMORY)  # the limit is for the input alone


def test_each_directory_is_a_targets():
    directories = {path.name for path in next(iter(TARGETS.values())).corpus.parent.iterdir()}
    assert directories == set(TARGETS)
