"""New text of all trace files of a processor is read in their order, until they are sealed."""

from __future__ import annotations

import pytest

from adapters.sysfs.trace_files import TraceFiles


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
