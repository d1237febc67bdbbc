"""The text of a trace buffer comes out once and in order, however the firmware uses the buffer.

Each snapshot is what the kernel shows in debugfs: the bytes before the first NUL.
"""

from __future__ import annotations

import random
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.trace_buffer import (
    BUFFERS_LIMIT,
    SIZE_LIMIT,
    TraceBuffer,
    TraceBufferReader,
    kernel_view,
)


class Firmware:
    """Prints into a buffer and begins at its start again when it is full.

    `clears`: it clears the buffer then. `spare` bytes at the end are never written.
    """

    def __init__(self, size, *, clears=False, spare=0):
        self.memory = bytearray(size)
        self.end = size - spare
        self.position = 0
        self.clears = clears

    def print(self, text):
        if self.clears and self.position + len(text) >= self.end:
            self.memory[:] = bytes(len(self.memory))
            self.position = 0
        for byte in text:
            self.memory[self.position] = byte
            self.position = (self.position + 1) % self.end

    def snapshot(self):
        return kernel_view(bytes(self.memory))


@pytest.mark.parametrize("spare", [0, 1])
@pytest.mark.parametrize("size", [64, 256, 1024])
@pytest.mark.parametrize("seed", range(20))
def test_lines_of_any_length_arrive_in_order(spare, size, seed):
    """Text that equals what it overwrites is late, not lost, even at the end of the buffer."""
    chance = random.Random(seed)
    firmware, buffer = Firmware(size, spare=spare), TraceBuffer()
    printed = read = b""
    for number in range(200):
        text = f"line {number}{'.' * chance.randrange(9)}\n".encode()
        firmware.print(text)
        printed += text
        # At most a few lines between two snapshots, or they are lost.
        if chance.random() < 0.5 or len(printed) - len(read) > 30:
            read += buffer.update(firmware.snapshot())
    firmware.print(b"#")
    read += buffer.update(firmware.snapshot())
    assert read == printed + b"#"


@given(st.integers(1, 40), st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_ring_of_distinct_lines(start, counts):
    firmware, buffer = Firmware(1000), TraceBuffer()
    number = start
    for count in counts:
        lines = b"".join(b"[%06d] tick\n" % n for n in range(number, number + count))
        number += count
        firmware.print(lines)
        assert buffer.update(firmware.snapshot()) == lines


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_cleared_buffer(counts):
    firmware, buffer = Firmware(400, clears=True), TraceBuffer()
    number = 0
    for count in counts:
        for _ in range(count):
            number += 1
            line = b"%d: something else is said\n" % number
            firmware.print(line)
            assert buffer.update(firmware.snapshot()) == line
        assert buffer.update(firmware.snapshot()) == b""


OLD = b"0123456789" * 6
B, C, D = b"b" * 24 + b"\n", b"c" * 24 + b"\n", b"d" * 19 + b"\n"
TABLE = [
    # what firmware does, snapshots, the new text in each
    ("nothing new", [b"hello", b"hello"], [b"hello", b""]),
    ("a cleared buffer", [b"sixsix", b"new"], [b"sixsix", b"new"]),
    (
        "a restart with the same first line",
        [b"banner\nworking\n", b"banner\n", b"banner\nagain\n", b""],
        [b"banner\nworking\n", b"banner\n", b"again\n", b""],
    ),
    (
        "equal bytes are late, not lost",
        [b"0123456789abcdefghij", b"x123456789abcdefghij", b"x1z3456789abcdefghij"],
        [b"0123456789abcdefghij", b"x", b"1z"],
    ),
    (
        "a NUL behind the newest text, after the buffer was full",
        [b"0123456789abcdefghij", b"new", b"newer"],
        [b"0123456789abcdefghij", b"new", b"er"],
    ),
    (
        "a line that does not fit begins at the start; the old rest is not repeated",
        [OLD, B + OLD[25:], B + C + OLD[50:], D + B[20:] + C + OLD[50:]],
        [OLD, B, C, D],
    ),
    (
        "an unfinished line goes on to the end, where the last byte stays equal",
        [
            b"0123456789012345678901234567890123456789",
            b"abcdefghijklmnopqrst01234567890123456789",
            b"abcdefghijklmnopqrstxxxxxxxxxxxxxxxxxxx9",
            b"yzcdefghijklmnopqrstxxxxxxxxxxxxxxxxxxx9",
        ],
        [
            b"0123456789012345678901234567890123456789",
            b"abcdefghijklmnopqrst",
            b"xxxxxxxxxxxxxxxxxxx",
            b"9yz",
        ],
    ),
]


@pytest.mark.parametrize(
    ("snapshots", "texts"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_new_text(snapshots, texts):
    buffer = TraceBuffer()
    assert [buffer.update(snapshot) for snapshot in snapshots] == texts


@given(st.lists(st.binary(max_size=50)))
def test_anything_is_taken(contents):
    buffer = TraceBuffer()
    for content in contents:
        assert len(buffer.update(content)) <= len(content)
        start, size, unchanged = buffer.window()
        assert content[start : start + size] == unchanged


def test_a_reader_joins_the_buffers_in_their_order_and_keeps_text_until_it_is_taken():
    contents: list[bytes | None] = [b"one ", b"two "]
    reader = TraceBufferReader()
    assert not reader.poll()
    assert reader.follow([lambda *_: contents[0], lambda *_: contents[1]])
    assert reader.poll()
    contents[:] = [None, b"two more"]  # None: nothing was written
    assert reader.poll()
    assert not reader.poll()
    assert reader.unread
    reader.follow(())
    assert (reader.following, reader.take(), reader.unread) == (False, b"one two more", False)


def test_what_is_read_of_all_buffers_is_bounded():
    """Whatever the buffers hold; and the first of them does not starve the others for ever."""
    sizes = [SIZE_LIMIT] * 1000
    asked: list[int] = []

    def snapshot(number: int, _: TraceBuffer, most: int) -> bytes:
        asked.append(number)
        return bytes([65 + number]) * min(sizes[number], most)

    reader = TraceBufferReader()
    reader.follow([partial(snapshot, number) for number in range(1000)])
    reader.poll()
    assert asked == list(range(BUFFERS_LIMIT))
    assert reader.take() == b"A" * SIZE_LIMIT
    reader.poll()
    assert reader.take() == b""
    sizes[0] = 10
    reader.poll()
    assert len(reader.take()) == 10 + SIZE_LIMIT - 10
