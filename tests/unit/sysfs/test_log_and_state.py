"""The kernel's log and a processor's state tell of the same event, one of them a moment later.

The attributes are plain files; the log is a pipe in packet mode, where each read returns one
record, as of /dev/kmsg. What the scheduler may do between two reads happens in a read here.
"""

from __future__ import annotations

import errno
import os

import pytest

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.kmsg import KmsgReader
from domain.annotations import ProcessorOptions
from domain.processor import DELETED, OFFLINE
from tests.contract.backend_fixture import walk
from tests.contract.paper_kernel import PaperKernel
from tests.elf_builder import elf
from tests.firmware_images import image_of

CRASH = "crash detected in m4: type watchdog"
STOPPED = "stopped remote processor m4"
RECOVERY = ("handling crash #1 in m4", "recovering m4", STOPPED)
UP = "remote processor m4 is now up"


class Bench:
    """A processor on which firmware runs, and its kernel."""

    def __init__(self, place, image, **options):
        self.kernel = PaperKernel(str(place))
        self._undo = self.kernel.install()
        self.processor = self.kernel.board.open("remoteproc0", ProcessorOptions(**options))
        self.claim = walk(self.processor, image, "start")
        reading, self._writing = os.pipe2(os.O_DIRECT | os.O_NONBLOCK | os.O_CLOEXEC)
        self.processor._log._descriptor = reading

    def log(self, *texts):
        for text in texts:
            os.write(self._writing, f"6,1,1,-;remoteproc remoteproc0: {text}\n".encode())

    def becomes(self, state):
        (self.kernel.place / "state").write_text(f"{state}\n")

    def close(self):
        self.becomes("offline")
        self.processor.release(self.claim)
        os.close(self._writing)
        self._undo()


@pytest.fixture
def bench(tmp_path, request):
    (tmp_path / "fw.elf").write_bytes(elf())
    made = Bench(tmp_path / "tree", image_of(tmp_path / "fw.elf"), **request.param)
    yield made
    made.close()


kernels = pytest.mark.parametrize("bench", [{"recovery": "kernel"}], indirect=True)
both = pytest.mark.parametrize(
    "bench", [{"recovery": "kernel"}, {"recovery": "container"}], indirect=True
)
ours = pytest.mark.parametrize("bench", [{"recovery": "container"}], indirect=True)


@kernels
def test_a_recovery_that_ends_after_the_state_was_read(bench, monkeypatch):
    read = Attributes.state

    def state(attributes):
        found = read(attributes)
        if found == "offline":
            bench.log(CRASH, *RECOVERY, UP)
            bench.becomes("running")
        return found

    bench.becomes("offline")
    monkeypatch.setattr(Attributes, "state", state)
    assert bench.processor.state() == "running"
    assert "m4: crashed: watchdog; left to the kernel's recovery" in bench.processor.remarks()


@kernels
def test_a_crash_that_is_in_the_state_and_not_yet_in_the_log(bench):
    bench.becomes("crashed")
    assert bench.processor.state() == "running", "the kernel recovers it"


@kernels
def test_a_crash_that_is_logged_after_its_recovery(bench):
    bench.log(*RECOVERY, UP, CRASH)
    assert bench.processor.state() == "running"
    bench.log(STOPPED)
    bench.becomes("offline")
    assert bench.processor.state() == "offline", "that is the end: nothing is recovered now"
    assert not bench.processor.firmware_exit().crashed


@kernels
def test_a_crash_of_a_processor_that_was_stopped_is_not_recovered(bench):
    bench.log(CRASH, STOPPED)
    bench.becomes("offline")
    assert bench.processor.state() == "offline"


@kernels
def test_records_that_the_kernel_has_overwritten_may_tell_of_a_crash(bench, monkeypatch):
    read, log = os.read, bench.processor._log.descriptor
    failed: list[bool] = []

    def overwritten(descriptor, size):
        if descriptor == log and not failed:
            failed.append(True)
            raise BrokenPipeError(errno.EPIPE, "as /dev/kmsg says it")
        return read(descriptor, size)

    bench.becomes("offline")
    monkeypatch.setattr(os, "read", overwritten)
    assert bench.processor.state() == "running", "until there was time for a recovery"
    assert failed


@both
def test_a_stop_by_a_driver_that_is_removed(bench, monkeypatch):
    bench.log(STOPPED)
    bench.becomes("offline")
    assert bench.processor.state() == "offline"
    states = [OFFLINE, OFFLINE, DELETED]
    with monkeypatch.context() as patch:
        patch.setattr(Attributes, "state", lambda attributes: states.pop(0))
        end = bench.processor.firmware_exit()
    assert (end.crashed, end.reason) == (True, "its driver was removed")


@ours
@pytest.mark.parametrize(
    "state, line, reason",
    [
        ("crashed", CRASH, "watchdog"),
        ("offline", STOPPED, "it ended by itself, or somebody else stopped it"),
    ],
)
def test_an_end_that_is_logged_after_the_state_has_changed(bench, state, line, reason, monkeypatch):
    read, later = KmsgReader.read, [line]

    def before_the_line(log):
        found = read(log)
        bench.log(*later)
        later.clear()
        return found

    bench.becomes(state)
    assert bench.processor.state() == state
    monkeypatch.setattr(KmsgReader, "read", before_the_line)
    end = bench.processor.firmware_exit()
    assert (end.crashed, end.reason) == (state == "crashed", reason)
