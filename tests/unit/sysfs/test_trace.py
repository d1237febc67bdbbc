"""That firmware's output comes out once and in order, however its buffer is used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sysfs.trace import TraceDiff, Traces


class Ring:
    """A buffer as firmware fills it: over the end it starts anew, `clearing` it or not."""

    def __init__(self, size, *, clearing):
        self.memory = bytearray(size)
        self.at = 0
        self.clearing = clearing

    def write(self, text):
        if self.clearing and self.at + len(text) >= len(self.memory):
            self.memory[:] = bytes(len(self.memory))
            self.at = 0
        for byte in text:
            self.memory[self.at] = byte
            self.at = (self.at + 1) % len(self.memory)

    def content(self):
        return bytes(self.memory).partition(b"\0")[0]


@given(st.integers(1, 40), st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_ring_of_distinct_lines(start, counts):
    ring, diff = Ring(1000, clearing=False), TraceDiff()
    number = start
    for count in counts:
        lines = b"".join(b"[%06d] tick\n" % n for n in range(number, number + count))
        number += count
        ring.write(lines)
        assert diff.update(ring.content()) == lines


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_cleared_buffer(counts):
    ring, diff = Ring(400, clearing=True), TraceDiff()
    number = 0
    for count in counts:
        for _ in range(count):
            number += 1
            line = b"%d: something else is said\n" % number
            ring.write(line)
            assert diff.update(ring.content()) == line
        assert diff.update(ring.content()) == b""


def test_restart_with_the_same_banner():
    diff = TraceDiff()
    assert diff.update(b"banner\nworking\n") == b"banner\nworking\n"
    assert diff.update(b"banner\n") == b"banner\n"
    assert diff.update(b"banner\nagain\n") == b"again\n"
    assert diff.update(b"") == b""


@given(st.lists(st.binary(max_size=50)))
def test_anything_is_taken(contents):
    diff = TraceDiff()
    for content in contents:
        assert len(diff.update(content)) <= len(content)
        start, size, expected = diff.window()
        assert content[start : start + size] == expected


@pytest.fixture
def debug(tmp_path):
    for name, text in (
        ("trace10", "ten\n"),
        ("trace2", "two\n"),
        ("tracer", "no\n"),
        ("crash", ""),
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_buffers_in_order_and_only_what_is_new(debug):
    traces = Traces(str(debug))
    assert traces.open()
    assert traces.read() == b"two\nten\n"
    assert traces.read() == b""
    with open(debug / "trace2", "a") as file:
        file.write("more\n")
    assert traces.read() == b"more\n"
    traces.close()
    assert traces.read() == b""


def test_sealed_is_not_opened_again(debug):
    traces = Traces(str(debug))
    assert traces.seal() == b""
    assert traces.read(running=True) == b""
    traces.open()
    assert traces.seal() == b"two\nten\n"
    assert traces.read(running=True) == b""


def test_buffer_outside_memory_says_nothing(tmp_path):
    (tmp_path / "trace0").write_text("Trace log not available\n")
    traces = Traces(str(tmp_path))
    assert traces.read(running=True) == b""
    traces.close()
