"""A simulated trace buffer shows what the kernel would show of it; idle buffers are read less."""

from __future__ import annotations

from adapters.sim.trace_memory import TraceMemory


def test_bytes_after_a_nul_are_not_shown():
    memory = bytearray(b"first\0hidden\0\0\0")
    traces = TraceMemory(1, lambda _, most: bytes(memory[:most]))
    assert traces.poll()
    assert traces.take() == b"first"
    memory[6:10] = b"more"
    assert not traces.poll()


def test_memory_that_cannot_be_read_has_no_text():
    traces = TraceMemory(2, lambda number, _: b"two" if number else None)
    traces.poll()
    assert traces.take() == b"two"


def test_the_period_grows_while_nothing_is_printed():
    contents = [b"", b"", b"", b"", b"text"]
    traces = TraceMemory(1, lambda _number, _most: contents.pop(0))
    periods = []
    while contents:
        traces.poll()
        periods.append(traces.period)
    assert periods == [0.2, 0.4, 0.5, 0.5, 0.1]


def test_a_poll_is_due_once_a_period():
    contents = [b"first", b"second"]
    traces = TraceMemory(1, lambda _number, _most: contents.pop(0))
    traces.poll_if_due()
    traces.poll_if_due()
    assert traces.take() == b"first"


def test_firmware_without_trace_buffers_needs_no_polling():
    assert TraceMemory(0, lambda _number, _most: None).period is None
