"""New text of all trace files of a processor is read in their order, until they are sealed."""

from __future__ import annotations

import pytest

from adapters.sysfs.trace_files import TraceFiles
from domain.trace_buffer import BUFFERS_LIMIT


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
    traces = TraceFiles(str(debug))
    assert traces.open()
    assert traces.read() == b"two\nten\n"
    assert traces.read() == b""
    with open(debug / "trace2", "a") as file:
        file.write("more\n")
    assert traces.read() == b"more\n"
    traces.close()
    assert traces.read() == b""


def test_of_many_buffers_the_first_are_read(tmp_path):
    for number in range(1000):
        (tmp_path / f"trace{number}").write_text(f"{number}\n")
    traces = TraceFiles(str(tmp_path))
    assert traces.open()
    assert traces.left_out == 1000 - BUFFERS_LIMIT
    assert len(traces._descriptors) == BUFFERS_LIMIT
    assert traces.read() == b"".join(b"%d\n" % number for number in range(BUFFERS_LIMIT))
    traces.close()


def test_sealed_is_not_opened_again(debug):
    traces = TraceFiles(str(debug))
    assert traces.seal() == b""
    assert traces.read(running=True) == b""
    traces.open()
    assert traces.seal() == b"two\nten\n"
    assert traces.read(running=True) == b""


def test_buffer_outside_memory_says_nothing(tmp_path):
    (tmp_path / "trace0").write_text("Trace log not available\n")
    traces = TraceFiles(str(tmp_path))
    assert traces.read(running=True) == b""
    traces.close()


def test_the_period_grows_while_nothing_is_printed_and_the_files_are_read_at_once_again(debug):
    traces = TraceFiles(str(debug), 0.1)
    traces.open()
    assert traces.period == 0.1
    periods = []
    for _ in range(5):
        traces.read()
        periods.append(traces.period)
    assert periods == [0.1, 0.2, 0.4, 0.5, 0.5]
    (debug / "trace2").write_text("two\nmore\n")
    traces.read()
    assert traces.period == 0.1
    traces.seal()
    assert traces.period is None


def test_a_longer_period_of_the_configuration_stays(debug):
    traces = TraceFiles(str(debug), 2.0)
    traces.open()
    for _ in range(3):
        traces.read()
        assert traces.period == 2.0
    traces.close()


def test_where_there_are_no_files_they_are_searched_for_once_a_second(tmp_path):
    traces = TraceFiles(str(tmp_path), 0.1)
    assert not traces.open()
    assert traces.period == 1.0
    traces.close()


def test_files_of_firmware_that_is_gone_are_searched_for_at_once(debug):
    traces = TraceFiles(str(debug), 0.1)
    traces.open()
    traces._next_search = 0.0  # they were opened long ago
    traces.close()
    assert traces.period == 0.1
