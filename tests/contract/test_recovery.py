"""Proves what becomes of firmware on a board that recovers it, or on one that is no more."""

from __future__ import annotations

import time

import pytest

from domain.annotations import ProcessorOptions
from tests.contract.benches import walk
from tests.contract.trees import BENCHES, SimfsBench, available


@pytest.fixture(params=available("fake", "sim"))
def bench(request, tmp_path):
    made = BENCHES[request.param](tmp_path)
    yield made
    made.close()


def until_ended(processor, seconds):
    deadline = time.monotonic() + seconds
    while not processor.state().ended:
        assert time.monotonic() < deadline, processor.state()
        time.sleep(0.05)


def test_an_end_that_is_no_crash_is_not_taken_for_one(bench):
    processor = bench.board.open(
        bench.board.processors()[0].device, ProcessorOptions(recovery="kernel")
    )
    claim = walk(processor, bench.image("exit"), "start")
    try:
        until_ended(processor, 4)  # the kernel's recovery would be waited for longer
        assert not processor.firmware_exit().crashed
        assert not [text for text in processor.remarks() if "crashed" in text]
    finally:
        processor.release(claim)


@pytest.mark.skipif("simfs" not in available(), reason="needs root and /dev/fuse")
def test_a_simulated_board_that_dies(tmp_path):
    bench = SimfsBench(tmp_path)
    try:
        processor = bench.open()
        claim = walk(processor, bench.image("hello"), "start")
        bench.die()
        assert processor.state().ended
        assert processor.firmware_exit().crashed
        processor.release(claim)
    finally:
        bench.close()
