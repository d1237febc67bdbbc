"""The firmware's console over rpmsg on a real kernel. Runs in a guest: see test_guests.py.

Both rings are the kernel's, as are the drivers virtio_rpmsg_bus and rpmsg_tty; the firmware's end
is tests/board/module/rpmsg_peer.c, which answers as firmware/programs/echo.c does.
"""

from __future__ import annotations

import fcntl
import os
import sys
import termios
import time

import pytest

from adapters.sysfs.tty import rpmsg_tty
from tests.elf_builder import FLASH, elf, resource_table, vdev
from tests.waiting import wait_until

if not os.path.isdir("/sys/bus/rpmsg/drivers/rpmsg_tty"):
    pytest.skip("needs a kernel with rpmsg_tty", allow_module_level=True)

from tests.unit.sysfs.test_kernel import PLAIN, RAM, fresh

RING = (0xFFFF_FFFF, 16, 16)  # anywhere, alignment, buffers
TALKS = elf([FLASH, RAM], table=resource_table(vdev(RING, RING)))


@pytest.fixture
def m4(tmp_path):
    with fresh("m4", tmp_path) as bench:
        yield bench


@pytest.fixture
def m7(tmp_path):
    with fresh("m7", tmp_path) as bench:
        yield bench


def type_in(processor, data, seconds=5.0):
    """Write all of it; return the output received meanwhile."""
    output = b""
    end = time.monotonic() + seconds
    while data:
        taken = processor.console.write_input(data)
        data = data[taken:]
        output += processor.console.read_output()
        assert time.monotonic() < end, f"{len(data)} bytes not taken, {output!r}"
        if not taken:
            time.sleep(0.005)
    return output


def waiting(processor):
    """Return how many bytes of output wait in the tty."""
    (descriptor,) = processor.console.descriptors()
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def hear(processor, text, output):
    """Read until the text has come; return all output, after what was read before."""
    end = time.monotonic() + 5
    while text not in output:
        output += processor.console.read_output()
        assert time.monotonic() < end, output[-1000:]
        time.sleep(0.005)
    return output


def end(processor, claim):
    processor.stop()
    processor.release(claim)


def test_answers(m4):
    processor, claim = m4.running(TALKS, console="rpmsg")
    output = hear(processor, b"you said: hello\n> ", type_in(processor, b"hello\n"))
    assert output == b"> hello\nyou said: hello\n> "
    assert len(processor.console.descriptors()) == 1
    end(processor, claim)
    assert processor.remarks() == []


def test_all_bytes_pass_unchanged(m4):
    data = bytes(set(range(256)) - {10, 13})
    processor, claim = m4.running(TALKS, console="rpmsg")
    output = hear(processor, b"you said: ", type_in(processor, data + b"\n"))
    assert output.startswith(b"> " + data + b"\nyou said: ")
    end(processor, claim)


def test_each_processor_has_its_own(m4, m7):
    second, second_claim = m7.running(TALKS, console="rpmsg")
    wait_until(lambda: rpmsg_tty("", m7.sys))
    first, first_claim = m4.running(TALKS, console="rpmsg")
    wait_until(lambda: rpmsg_tty("", m4.sys))
    # The kernel numbers ttys as they come, so the second processor has the lower one.
    assert rpmsg_tty("", m7.sys) < rpmsg_tty("", m4.sys)
    hear(first, b"you said: four", type_in(first, b"four\n"))
    hear(second, b"you said: seven", type_in(second, b"seven\n"))
    end(second, second_claim)
    assert rpmsg_tty("", m7.sys) == ""
    output = hear(first, b"you said: still there", type_in(first, b"still there\n"))
    assert b"seven" not in output
    end(first, first_claim)


def test_much_input_is_answered_in_order(m4):
    processor, claim = m4.running(TALKS, console="rpmsg")
    lines = [b"%04d" % number for number in range(500)]
    output = type_in(processor, b"\n".join(lines) + b"\n", seconds=30)
    output = hear(processor, b"you said: 0499\n> ", output)
    assert [line[10:] for line in output.split(b"\n") if line.startswith(b"you said: ")] == lines
    end(processor, claim)


def test_firmware_that_takes_no_input_costs_no_output(m4):
    processor, claim = m4.running(TALKS, console="rpmsg")
    hear(processor, b"> ", type_in(processor, b"\n"))
    assert processor.console.write_input(b"hello\n") == 6
    wait_until(lambda: waiting(processor) >= len(b"you said: hello"))
    m4.set("device/crash", "fatal")
    wait_until(lambda: m4.get("state") == "crashed")
    taken = 0
    while count := processor.console.write_input(bytes(2000)):
        taken += count
        assert taken < 1_000_000
    assert taken > 0
    assert b"you said: hello" in processor.console.read_output()
    assert len(processor.console.descriptors()) == 1, "the tty is kept although it takes nothing"
    end(processor, claim)


@pytest.mark.parametrize("crashes", [False, True])
def test_gone_with_the_firmware(m4, crashes):
    processor, claim = m4.running(TALKS, console="rpmsg")
    output = hear(processor, b"hello\n> ", type_in(processor, b"hello\n"))
    if crashes:
        m4.set("device/crash", "watchdog")
        wait_until(lambda: m4.get("state") == "crashed")
        assert processor.state().crashed
    processor.stop()
    assert rpmsg_tty("", m4.sys) == ""
    assert processor.console.read_output() == b"" and processor.console.write_input(b"x") == 0
    assert processor.console.descriptors() == () and b"you said: hello" in output
    processor.release(claim)
    assert processor.remarks() == []


def test_back_after_recovery(m4):
    processor, claim = m4.running(TALKS, console="rpmsg", recovery="kernel")
    for times in range(3):
        text = b"life %d\n" % times
        hear(processor, b"you said: " + text, type_in(processor, text))
        m4.set("device/crash", "watchdog")
        wait_until(lambda: processor.console.read_output() == b"" and not processor.watch())
    hear(processor, b"you said: again", type_in(processor, b"again\n"))
    end(processor, claim)


def test_last_words_before_a_core_dump(m4):
    processor, claim = m4.running(TALKS, console="rpmsg", coredump="enabled")
    hear(processor, b"> ", type_in(processor, b"\n"))
    assert processor.console.write_input(b"farewell\n") == 9
    wait_until(lambda: waiting(processor) >= len(b"you said: farewell"))
    m4.set("device/crash", "fatal")
    wait_until(lambda: m4.get("state") == "crashed")
    assert "core dump" in processor.firmware_exit().reason
    assert b"you said: farewell" in processor.console.read_output()
    processor.release(claim)


def test_driver_removed(m4):
    processor, claim = m4.running(TALKS, console="rpmsg")
    hear(processor, b"hello\n> ", type_in(processor, b"hello\n"))
    m4.rebind()
    assert processor.state() == "deleted"
    assert processor.console.read_output() == b"" and processor.console.descriptors() == ()
    processor.release(claim)


def test_firmware_that_ends_at_once(m4):
    for pause in [0, 0.001, 0.003, 0.01, 0.03] * 4:
        processor, claim = m4.running(TALKS, console="rpmsg")
        processor.console.write_input(b"hello\n")
        time.sleep(pause)
        end(processor, claim)
        assert rpmsg_tty("", m4.sys) == ""


def test_firmware_without_one_is_remarked_on_once(m4):
    processor, claim = m4.running(PLAIN, console="rpmsg")
    remarks = []
    until = time.monotonic() + 7
    while time.monotonic() < until:
        assert processor.console.read_output() == b"" and processor.console.write_input(b"x") == 0
        remarks += processor.remarks()
        time.sleep(0.1)
    (remark,) = remarks
    assert remark.startswith("no console of m4: its firmware announces none")
    end(processor, claim)
