"""A trace buffer that begins anew when full is followed without loss or repetition."""

import random

import pytest

from adapters.sim.trace import TraceTail


class Ring:
    """What firmware does: text into a buffer that begins anew; `spare` bytes stay zero."""

    def __init__(self, size, spare):
        self.memory = bytearray(size)
        self.turn = size - spare
        self.at = 0

    def print(self, text):
        for byte in text:
            self.memory[self.at] = byte
            self.at = (self.at + 1) % self.turn


@pytest.mark.parametrize("spare", [0, 1])
@pytest.mark.parametrize("seed", range(20))
def test_lines_of_any_length_arrive_in_order(spare, seed):
    chance = random.Random(seed)
    ring, tail = Ring(64, spare), TraceTail(64)
    printed = read = b""
    for number in range(200):
        text = f"line {number}{'.' * chance.randrange(9)}\n".encode()
        ring.print(text)
        printed += text
        if (
            chance.random() < 0.5 or len(printed) - len(read) > 30
        ):  # at most a few lines between looks, or they are lost
            read += tail.advance(bytes(ring.memory))
    ring.print(b"#")
    read += tail.advance(bytes(ring.memory))
    assert read == printed + b"#"


def test_nothing_new_is_nothing():
    tail = TraceTail(8)
    assert tail.advance(b"hello\0\0\0") == b"hello"
    assert tail.advance(b"hello\0\0\0") == b""


def test_firmware_that_clears_its_buffer_and_begins_anew():
    tail = TraceTail(8)
    assert tail.advance(b"sixsix\0\0") == b"sixsix"
    assert tail.advance(b"new\0\0\0\0\0") == b"new"


def test_equal_bytes_are_late_not_lost():
    tail = TraceTail(4)
    assert tail.advance(b"abcd") == b"abcd"
    assert tail.advance(b"xbcd") == b"x"  # `b` was written again, too
    assert tail.advance(b"xbzd") == b"bz"
