"""Output of the firmware arrives from UART and trace buffers, and input reaches the firmware."""

import os
import socket
import time

import pytest

from adapters.sim.uart import UartConsole
from domain.processor import OFFLINE
from tests.unit.sim.helpers import ended, follow, run
from tests.waiting import wait_until


def test_input_is_echoed(opened, image):
    processor = opened()
    run(processor, image("echo"))
    follow(processor, lambda output, _: output == b"> ")
    assert processor.console.write_input(b"hi there\n") == 9
    output, _ = follow(processor, lambda output, _: b"you said: hi there\n> " in output)
    assert output == b"hi there\nyou said: hi there\n> "


def test_a_processor_that_does_not_read_takes_only_so_much(opened, image):
    processor = opened()
    run(processor, image("spin"))
    taken = 0
    while count := processor.console.write_input(bytes(65536)):
        taken += count
    assert 0 < taken < 1 << 22


def test_input_for_nobody_is_taken(opened, image):
    processor = opened(extra="console: none")
    assert processor.console.write_input(b"early") == 5
    claim = run(processor, image("hello"))
    assert processor.console.write_input(b"x") == 1
    assert processor.console.read_output() == b""
    processor.release(claim)


def test_a_trace_buffer_is_followed_from_the_first_line(opened, image):
    processor = opened()
    run(processor, image("trace"))
    output, _ = follow(processor, lambda output, _: b"trace line 3\n" in output)
    assert output.startswith(b"trace from cortex-m3\ntrace line 1\ntrace line 2\n")


def test_a_secure_processors_trace_buffer_too(opened, image):
    processor = opened("cortex-m33")
    run(processor, image("trace", "cortex-m33"))
    follow(processor, lambda output, _: output.startswith(b"trace from cortex-m33\ntrace line 1"))


def test_a_full_trace_buffer_that_begins_again_loses_nothing(opened, image):
    processor = opened("riscv32")
    run(processor, image("trace_wrap", "riscv32"))
    output, _ = follow(processor, lambda output, _: b"trace line 700\n" in output)
    lines = output.split(b"\n")[1:-1]
    assert lines == [b"trace line %d" % number for number in range(1, len(lines) + 1)]


def test_stop_reads_the_trace_a_last_time(opened, image):
    processor = opened()
    run(processor, image("trace"))
    wait_until(lambda: b"trace line 2\n" in (processor._rproc.read_trace(0, 1 << 16) or b""))
    processor.stop()  # nobody has looked at the console
    assert b"trace line 2\n" in processor.console.read_output()
    assert processor.state() == OFFLINE


def test_the_last_words_before_a_crash_are_read_although_no_read_is_due(opened, image):
    processor = opened()
    run(processor, image("trace"))
    follow(processor, lambda output, _: b"trace line 1\n" in output)

    def trace():
        return processor._rproc.read_trace(0, 1 << 16)

    read = trace()
    processor.console._traces._due = time.monotonic() + 60
    wait_until(lambda: trace() != read)
    processor._rproc.crash("watchdog")
    assert b"trace line " in processor.console.read_output()


def test_nobody_reading_costs_the_oldest_output():
    ours, other = socket.socketpair()
    ours.setblocking(False)
    console = UartConsole(ours.detach())
    for number in range(40):
        other.sendall(b"%02d" % number * 16384)
        console.receive()
    other.close()
    console.close()
    kept = console.read()
    assert len(kept) == console.LIMIT
    assert kept.endswith(b"39" * 16384)
    assert b"07" not in kept


@pytest.mark.parametrize("program", ["crash", "reset", "exit"])
def test_the_last_words_arrive_whole_however_they_are_cut(opened, image, monkeypatch, program):
    def read_little(fd):
        try:
            return os.read(fd, 4)
        except BlockingIOError:
            return None

    monkeypatch.setattr("adapters.sim.uart.read_available", read_little)
    processor = opened()
    run(processor, image(program))
    output, _ = follow(processor, ended)
    while data := processor.console.read_output():
        output += data
    assert output.startswith((b"about to ", b"exiting with "))
    assert output.endswith(b"\n")
    assert processor.watch() in ((), processor._rproc.execution.watch())


def test_idle_firmware_is_not_polled_and_costs_no_host_time(opened, image):
    processor = opened()
    run(processor, image("echo"))
    follow(processor, lambda output, _: output == b"> ")
    assert processor.poll_seconds is None and processor.console.poll_seconds is None
    pid = processor._rproc.execution.pid
    before = _ticks(pid)
    time.sleep(1.5)
    assert _ticks(pid) - before <= 1
    assert processor._rproc.execution._poll.poll(0) == []


def _ticks(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
