"""The kernel's log wakes a supervisor where that log can be trusted, and costs no more than polls.

The log is a pipe in packet mode, where each read returns one record, as of /dev/kmsg.
"""

from __future__ import annotations

import os
import select
import time

import pytest

from adapters.sysfs import announcements as module
from adapters.sysfs import kmsg
from adapters.sysfs.announcements import Announcements
from adapters.sysfs.kmsg import KmsgReader

UP = "remoteproc remoteproc0: remote processor m4 is now up"
CRASH = "remoteproc remoteproc0: crash detected in m4: type watchdog"


class Clock:
    """Stands in for the module time."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


class Log:
    """A log that this test writes, and the reader of it."""

    def __init__(self):
        reading, self.writing = os.pipe2(os.O_DIRECT | os.O_NONBLOCK | os.O_CLOEXEC)
        self.reader = KmsgReader("/nowhere", "remoteproc0")
        self.reader._descriptor = reading

    def write(self, *texts):
        for text in texts:
            os.write(self.writing, f"6,1,1,-;{text}\n".encode())

    def close(self):
        self.reader.close()
        os.close(self.writing)


@pytest.fixture
def log():
    log = Log()
    yield log
    log.close()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def begun(log):
    found = Announcements(log.reader, 0.1)
    log.write("usb 1-1: new device", UP)
    found.begin()
    return found


def test_a_log_that_announced_the_start_wakes(log):
    found = begun(log)
    assert found.poll_seconds == 1.0
    assert select.select(found.descriptors(), [], [], 0)[0] == []
    log.write(CRASH)
    assert select.select(found.descriptors(), [], [], 0)[0] == list(found.descriptors())
    found.take()
    assert log.reader.read()[-1] == "crash detected in m4: type watchdog"


@pytest.mark.parametrize("text", ["", UP.replace("proc0", "proc1"), CRASH])
def test_a_log_that_has_not_announced_the_start_is_not_trusted(log, text):
    found = Announcements(log.reader, 0.1)
    if text:
        log.write(text)
    found.begin()
    assert (found.poll_seconds, found.descriptors()) == (0.1, ())


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/proc/self/maps", "/nowhere"])
def test_another_file_in_its_place_is_not_trusted(path):
    reader = KmsgReader(path, "remoteproc0")
    reader.open()
    found = Announcements(reader, 0.1)
    found.begin()
    assert (found.poll_seconds, found.descriptors()) == (0.1, ())
    found.take()
    reader.close()


def test_a_log_without_end_is_not_read_without_end():
    reader = KmsgReader("/dev/zero", "remoteproc0")
    reader.open()
    begun = time.monotonic()
    assert reader.read() == []
    assert time.monotonic() - begun < 5
    reader.close()


def test_a_longer_period_of_the_configuration_stays(log):
    found = Announcements(log.reader, 3.0)
    log.write(UP)
    found.begin()
    assert found.poll_seconds == 3.0


def test_after_a_record_of_others_the_log_is_left_alone_for_a_period(log, clock):
    found = begun(log)
    log.write("usb 1-1: new device")
    found.take()
    assert (found.poll_seconds, found.descriptors()) == (0.1, ())
    log.write("usb 1-1: new device")
    clock.now += 0.05
    found.take()
    assert (found.poll_seconds, found.descriptors()) == (0.1, ())
    clock.now += 0.051
    found.take()  # the second record
    assert (found.poll_seconds, found.descriptors()) == (0.1, ())
    clock.now += 0.101
    found.take()
    assert found.poll_seconds == 1.0 and found.descriptors()


def test_after_the_announcement_of_a_crash_the_next_record_wakes(log, clock):
    found = begun(log)
    log.write(CRASH)
    found.take()
    assert found.poll_seconds == 1.0 and found.descriptors()


def test_a_flood_is_read_once_a_second(log, clock, monkeypatch):
    found = begun(log)
    monkeypatch.setattr(kmsg, "BATCH", 8)
    monkeypatch.setattr(module, "BATCH", 8)
    log.write(*["net: flood"] * 8, "remoteproc remoteproc0: says something")
    found.take()
    for _ in range(9):
        assert (found.poll_seconds, found.descriptors()) == (0.1, ())
        clock.now += 0.101
        found.take()
        assert "says something" not in log.reader.messages
    clock.now += 0.101
    found.take()
    assert "says something" in log.reader.messages


def test_a_log_that_closes_is_trusted_no_more(log, clock):
    found = begun(log)
    os.dup2(os.open("/dev/null", os.O_RDONLY), log.reader.descriptor)
    found.take()
    assert (found.poll_seconds, found.descriptors()) == (0.1, ())
    assert not log.reader.is_open


def test_messages_are_kept_for_whoever_reads_the_reason(log, clock):
    found = begun(log)
    log.write(CRASH, *["usb 1-1: new device"] * 10)
    found.take()
    assert log.reader.read() == [
        "remote processor m4 is now up",
        "crash detected in m4: type watchdog",
    ]
    assert log.reader.read() == []
