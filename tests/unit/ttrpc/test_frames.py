"""The frame parser gives the same frames however the bytes are cut, and holds no more than one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.containerd.ttrpc.frames import (
    DATA,
    HEADER,
    MAX_DATA,
    REQUEST,
    RESPONSE,
    Frame,
    FrameReader,
    FrameTooLarge,
    Oversized,
    encode,
)

u32 = st.integers(0, 2**32 - 1)
u8 = st.integers(0, 255)
frame = st.builds(Frame, u32, u8, u8, st.binary(max_size=200))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def test_a_frame_is_laid_out_as_the_protocol_says():
    assert encode(5, REQUEST, b"hi", 2) == b"\0\0\0\x02" + b"\0\0\0\x05" + b"\x01\x02" + b"hi"
    assert (REQUEST, RESPONSE, DATA, MAX_DATA) == (1, 2, 3, 4194304)


@given(st.lists(frame, max_size=8), st.lists(st.integers(0, 5000), max_size=12))
def test_frames_survive_any_cutting(frames, places):
    stream = b"".join(encode(f.stream_id, f.type, f.data, f.flags) for f in frames)
    reader = FrameReader()
    found = [f for chunk in cut(stream, places) for f in reader.feed(chunk)]
    assert found == frames
    assert reader.held == 0


@given(st.binary(max_size=400), st.lists(st.integers(0, 500), max_size=8))
def test_any_bytes_are_frames_or_the_beginning_of_one(data, places):
    whole, pieces = FrameReader(), FrameReader()
    expected = whole.feed(data)
    assert [f for chunk in cut(data, places) for f in pieces.feed(chunk)] == expected
    # Cut or not, the same is held; and what is held is an incomplete frame.
    assert pieces.held == whole.held
    if whole.held >= HEADER.size:
        length = HEADER.unpack_from(data, len(data) - whole.held)[0]
        assert whole.held < HEADER.size + length <= HEADER.size + MAX_DATA


def test_the_largest_frame_passes_and_one_byte_more_does_not():
    data = bytes(MAX_DATA)
    (frame,) = FrameReader().feed(encode(1, REQUEST, data))
    assert isinstance(frame, Frame) and frame.data == data
    with pytest.raises(FrameTooLarge, match="4194305 exceed maximum message size of 4194304"):
        encode(1, REQUEST, data + b"x")


@pytest.mark.parametrize("length", [MAX_DATA + 1, 16 << 20])
@pytest.mark.parametrize("chunk", [4096, 65536, 1 << 22])
def test_an_oversized_frame_is_discarded_as_it_comes_and_the_next_is_read(length, chunk):
    reader = FrameReader()
    stream = HEADER.pack(length, 7, REQUEST, 0) + bytes(length) + encode(9, REQUEST, b"next")
    found = []
    for at in range(0, len(stream), chunk):
        new = reader.feed(stream[at : at + chunk])
        # The error comes when the body is gone, not before: the peer must not be left writing.
        assert at + chunk >= length + HEADER.size or not new
        found += new
        assert reader.held <= HEADER.size
    assert found == [Oversized(7, REQUEST, length), Frame(9, REQUEST, 0, b"next")]


def test_four_gigabytes_announced_cost_nothing():
    reader = FrameReader()
    reader.feed(HEADER.pack(2**32 - 1, 1, REQUEST, 0))
    for _ in range(100):
        assert reader.feed(bytes(65536)) == []
        assert reader.held == 0
