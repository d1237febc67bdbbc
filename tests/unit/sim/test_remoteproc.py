"""The model of the kernel's remoteproc core does what Linux 6.1 was measured to do."""

import errno
import os
import threading
import time

import pytest

from adapters.sim.board_file import load_board
from adapters.sim.remoteproc import RemoteProc
from adapters.sim.spec import InjectedFaults
from domain.processor import CRASHED, OFFLINE, RUNNING
from tests.waiting import wait_until


@pytest.fixture
def make(samples):
    """Make a processor that finds sample firmware by name, as under /lib/firmware."""
    made = []

    def find(name):
        return os.open(f"{samples}/cortex-m3/{name}.elf", os.O_RDONLY | os.O_CLOEXEC)

    def make(firmware="echo", **faults):
        spec = load_board("cortex-m3").processors[0]._replace(faults=InjectedFaults(**faults))
        rproc = RemoteProc(spec, find)
        made.append(rproc)
        if firmware:
            rproc.write_firmware(firmware + "\n")
        return rproc

    yield make
    for rproc in made:
        if rproc.execution:
            rproc.execution.close()


def refused(number, call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    assert errno.errorcode[caught.value.errno or 0] == errno.errorcode[number]


def until(rproc, state, seconds=10):
    deadline = time.monotonic() + seconds
    while rproc.state != state and time.monotonic() < deadline:
        rproc.poll()
        time.sleep(0.01)
    assert rproc.state == state


def test_first_values(make):
    rproc = make(firmware="")
    assert (rproc.state, rproc.firmware) == (OFFLINE, "rproc-m3-fw")
    assert (rproc.recovery, rproc.coredump) == (True, "disabled")


def test_starts_count_and_so_many_stops_it_takes(make):
    rproc = make()
    for _ in range(3):
        rproc.write_state("start")
    for state in (RUNNING, RUNNING, OFFLINE):
        rproc.write_state("stop")
        assert rproc.state == state
    refused(errno.EINVAL, rproc.write_state, "stop")


@pytest.mark.parametrize("word", ["stop", "detach", "Start", "", "start "])
def test_what_offline_refuses(make, word):
    refused(errno.EINVAL, make().write_state, word)


def test_what_running_refuses(make):
    rproc = make()
    rproc.write_state("start")
    refused(errno.EINVAL, rproc.write_state, "detach")
    refused(errno.EBUSY, rproc.write_firmware, "echo")


@pytest.mark.parametrize(
    ("text", "kept"), [("a\nb", "a"), ("a b\n", "a b"), ("x\0y", "x"), ("sub/x", "sub/x")]
)
def test_firmware_is_the_first_line(make, text, kept):
    rproc = make()
    rproc.write_firmware(text)
    assert rproc.firmware == kept


@pytest.mark.parametrize("text", ["", "\n", "\0", "\nx"])
def test_firmware_without_a_name_is_refused(make, text):
    refused(errno.EINVAL, make().write_firmware, text)


def test_a_failed_start_leaves_no_use_behind(make):
    rproc = make(start_error="EIO")
    refused(errno.EIO, rproc.write_state, "start")
    assert (rproc.state, rproc.power) == (OFFLINE, 0)
    rproc.write_firmware("nothing there")
    refused(errno.ENOENT, rproc.write_state, "start")
    assert (rproc.state, rproc.power) == (OFFLINE, 0)


def test_a_failed_stop_leaves_it_running(make):
    rproc = make(stop_error="ETIMEDOUT")
    rproc.write_state("start")
    refused(errno.ETIMEDOUT, rproc.write_state, "stop")
    assert (rproc.state, rproc.power) == (RUNNING, 1)


def test_crashed_without_recovery(make):
    rproc = make("crash")
    rproc.write_recovery("disabled")
    rproc.write_state("start")
    until(rproc, CRASHED)
    refused(errno.EBUSY, rproc.write_coredump, "enabled")
    refused(errno.EBUSY, rproc.write_firmware, "echo")
    refused(errno.EINVAL, rproc.write_state, "detach")
    rproc.write_state("start")
    assert (rproc.state, rproc.power) == (CRASHED, 2)
    rproc.write_state("stop")
    assert rproc.state == CRASHED
    rproc.write_state("stop")
    assert (rproc.state, rproc.power) == (OFFLINE, 0)


@pytest.mark.parametrize(("word", "flag"), [("recover", False), ("enabled", True)])
def test_both_ways_of_recovering(make, word, flag):
    rproc = make()
    rproc.write_recovery("disabled")
    rproc.write_state("start")
    rproc.crash("test")
    assert (rproc.state, rproc.firmware_exit.reason) == (CRASHED, "test")
    first = rproc.execution.pid
    rproc.write_recovery(word)
    assert (rproc.state, rproc.recovery, rproc.power) == (RUNNING, flag, 1)
    assert rproc.execution.pid != first
    rproc.write_state("stop")
    assert rproc.state == OFFLINE


def test_recovery_runs_it_anew_by_itself(make):
    rproc = make("reset")
    rproc.write_state("start")
    deadline = time.monotonic() + 10
    while rproc.crashes < 3 and time.monotonic() < deadline:
        rproc.poll()
    assert rproc.crashes >= 3
    assert rproc.power == 1


def test_recovery_without_the_file_is_offline_and_counted(make):
    rproc = make()
    rproc.write_state("start")
    rproc.firmware = "taken away"
    rproc.crash("test")
    assert (rproc.state, rproc.power) == (OFFLINE, 1)
    rproc.write_state("start")
    assert rproc.state == OFFLINE
    refused(errno.EINVAL, rproc.write_state, "stop")


def test_a_crash_while_offline_is_ignored(make):
    rproc = make()
    rproc.crash("test")
    assert (rproc.state, rproc.crashes) == (OFFLINE, 0)


@pytest.mark.parametrize("word", ["", "on", "Enabled"])
def test_unknown_words(make, word):
    rproc = make()
    refused(errno.EINVAL, rproc.write_recovery, word)
    refused(errno.EINVAL, rproc.write_coredump, word)


@pytest.mark.parametrize("word", ["enabled", "inline", "disabled"])
def test_coredump_is_kept(make, word):
    rproc = make()
    rproc.write_coredump(word)
    assert rproc.coredump == word


def test_during_a_slow_start_readers_see_offline_and_writers_wait(make):
    rproc = make(start_delay=2.0)
    starter = threading.Thread(target=rproc.write_state, args=("start",))
    starter.start()
    try:
        wait_until(lambda: rproc.power == 1)
        rproc.poll()
        assert rproc.state == OFFLINE, "the reader has not waited"
        refused(errno.EBUSY, rproc.write_firmware, "echo")
        assert rproc.state == RUNNING, "the writer has"
    finally:
        starter.join()


def test_trace_memory_can_be_read_while_held(make):
    rproc = make("trace")
    rproc.write_recovery("disabled")
    rproc.write_state("start")
    wait_until(lambda: (rproc.read_trace(0, 1 << 20) or b"").startswith(b"trace from cortex-m3\n"))
    rproc.crash("test")
    assert rproc.read_trace(0, 5) == b"trace"
    rproc.write_state("stop")
    assert rproc.resources.traces == ()
