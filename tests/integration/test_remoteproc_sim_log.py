"""Proves that the dev/kmsg of a mounted board reads as the kernel's, and ends with the board."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from subprocess import DEVNULL

import pytest

from adapters.sysfs.kmsg import KmsgReader, crash_type
from features.backends.processes import wait_until_blocked
from tests.elf_builder import Load, elf
from tests.simulator import Simulator
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(
        os.getuid() != 0 or not os.path.exists("/dev/fuse"), reason="needs root and /dev/fuse"
    ),
]

CRASH = "sys/kernel/debug/remoteproc/remoteproc0/crash"


@pytest.fixture(scope="module")
def root():
    with Simulator() as simulator:
        yield simulator.root


@pytest.fixture
def opened(root):
    """A function that opens the log; the fixture closes it."""
    descriptors = []

    def opened(flags=os.O_NONBLOCK):
        descriptors.append(os.open(f"{root}/dev/kmsg", os.O_RDONLY | flags))
        return descriptors[-1]

    yield opened
    for descriptor in descriptors:
        os.close(descriptor)


def crash(root, kind=1):
    """Make the simulated kernel log one line. No firmware runs that could crash."""
    with open(f"{root}/{CRASH}", "w") as file:
        file.write(str(kind))


def read_all_records(descriptor):
    """Read records until none has come for 0.3 s."""
    found, quiet = [], time.monotonic() + 0.3
    while True:
        try:
            found.append(os.read(descriptor, 8192))
            quiet = time.monotonic() + 0.3
        except BlockingIOError:
            if time.monotonic() > quiet:
                return found
            time.sleep(0.02)


def test_code_for_another_core_is_refused_with_the_reason(root, opened):
    log = opened()
    with open(f"{root}/lib/firmware/other.elf", "wb") as file:
        file.write(elf([Load(0x400000, b"code")], machine=243))
    attributes = f"{root}/sys/class/remoteproc/remoteproc0"
    with open(f"{attributes}/firmware", "w") as file:
        file.write("other.elf")
    state = os.open(f"{attributes}/state", os.O_WRONLY)
    with pytest.raises(OSError, match="Invalid argument"):
        os.write(state, b"start")
    os.close(state)
    lines = [record.partition(b";")[2].split(b"\n")[0] for record in read_all_records(log)]
    what = b"other.elf is 32-bit RISC-V code, but cortex-m3 executes 32-bit ARM code"
    assert lines[-3:] == [
        b"remoteproc remoteproc0: powering up m4",
        b"remoteproc remoteproc0: " + what,
        b"remoteproc remoteproc0: Boot failed: -22",
    ]


def shell(root, command):
    return subprocess.run(
        ["sh", "-c", command], cwd=root, capture_output=True, text=True, timeout=20
    )


def test_a_read_gives_one_record(opened):
    log = opened()
    for number, name in enumerate(("m4", "dsp")):
        record = os.read(log, 8192).decode()
        assert f";remoteproc remoteproc{number}: {name} is available\n" in record
        assert record.startswith(f"6,{number},") and record.count(";") == 1


def test_readers_at_the_end_get_new_records(root, opened):
    readers = [opened(), opened()]
    for log in readers:
        assert os.lseek(log, 0, os.SEEK_END) > 0
        with pytest.raises(BlockingIOError):
            os.read(log, 8192)
    crash(root)
    for log in readers:
        (record,) = read_all_records(log)
        assert b"crash detected in m4: type watchdog\n" in record
        os.lseek(log, 0, os.SEEK_SET)
        assert b"m4 is available" in os.read(log, 8192)


def test_the_sysfs_adapter_reads_from_it_the_kind_of_a_crash(root):
    logs = [KmsgReader(f"{root}/dev/kmsg", f"remoteproc{number}") for number in (0, 1)]
    for log in logs:
        log.open()
    crash(root, 0)
    crash(root, 2)
    news: list[str] = []

    def both_crashes():
        news.extend(logs[0].read())
        return len(news) >= 2

    wait_until(both_crashes)
    assert [crash_type([line]) for line in news] == ["mmufault", "fatal error"]
    assert logs[1].read() == []
    for log in logs:
        log.close()


def test_blocking_readers_wait(root, opened):
    logs = [opened(0) for _ in range(3)]
    for log in logs:
        os.lseek(log, 0, os.SEEK_END)
    found = []
    readers = [
        threading.Thread(target=lambda at=at: found.append(os.read(at, 8192))) for at in logs
    ]
    for reader in readers:
        reader.start()
        wait_until_blocked(reader.native_id)
    assert found == []
    crash(root)
    for reader in readers:
        reader.join(5)
    assert len(found) == 3 and all(b"crash detected" in record for record in found)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_reader_that_waits_can_be_killed(root, number):
    before = time.monotonic()
    with subprocess.Popen(["cat", f"{root}/dev/kmsg"], stdout=subprocess.PIPE) as cat:
        assert cat.stdout
        assert b"available" in cat.stdout.readline()
        wait_until_blocked(cat.pid)
        cat.send_signal(number)
        assert cat.wait(5) == -number
    assert time.monotonic() - before < 3


def test_at_most_four_readers_wait_and_the_board_still_answers(root):
    cats = [
        subprocess.Popen(["cat", "dev/kmsg"], cwd=root, stdout=DEVNULL, stderr=DEVNULL)
        for _ in range(12)
    ]
    try:
        wait_until(lambda: sum(cat.poll() is None for cat in cats) <= 4)
        assert sum(cat.poll() is None for cat in cats) == 4
        assert shell(root, "cat sys/class/remoteproc/remoteproc0/name").stdout == "m4\n"
    finally:
        for cat in cats:
            cat.kill()
            cat.wait(5)


def test_dd_reads_records(root):
    done = shell(root, "dd if=dev/kmsg iflag=nonblock bs=8192 status=none")
    assert done.stdout.startswith("6,0,") and "Resource temporarily unavailable" in done.stderr
    done = shell(root, "dd if=dev/kmsg iflag=nonblock bs=16 count=1 status=none")
    assert (done.stdout, "Invalid argument" in done.stderr) == ("", True)


def test_odd_offsets_give_whole_records(opened):
    log = opened()
    for offset in (1, 50, 100, 10**6, 2**62):
        try:
            assert os.pread(log, 8192, offset)[:1].isdigit()
        except BlockingIOError:
            pass


@pytest.mark.parametrize("command", ["echo x >dev/kmsg", "echo x >>dev/kmsg", "exec 3<>dev/kmsg"])
def test_the_log_cannot_be_written(root, command):
    done = shell(root, command)
    assert done.returncode and "Operation not permitted" in done.stderr
    assert shell(root, "rm sys/kernel/debug/remoteproc-sim/kmsg").returncode


def test_other_users_read_it_no_more_than_a_restricted_log(root):
    done = shell(root, "setpriv --reuid 65534 --clear-groups cat dev/kmsg")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Permission denied" in done.stderr


def test_poll_always_reports_the_log_as_readable(opened):
    assert select.select([opened()], [], [], 5)[0]


def test_a_thousand_records_later(root, opened):
    """New records replace old ones. A reader that missed records gets EPIPE once."""
    slow, follower = opened(), opened()
    os.lseek(follower, 0, os.SEEK_END)
    seen = []
    state = os.open(f"{root}/sys/class/remoteproc/remoteproc0/state", os.O_WRONLY)
    for number in range(1500):
        with pytest.raises(OSError, match="Invalid argument"):
            os.write(state, b"nonsense %d" % number)
        if number % 100 == 99:
            while True:
                try:
                    seen.append(os.read(follower, 8192))
                except BlockingIOError:
                    break
    os.close(state)
    assert [record for record in seen if b"nonsense" not in record] == []
    assert len(seen) == 1500
    with pytest.raises(BrokenPipeError):
        os.read(slow, 8192)
    rest = read_all_records(slow)
    assert 900 < len(rest) < 1500 and rest == seen[-len(rest) :]


def test_the_log_is_there_after_a_successor_cleaned_up_and_is_gone_after_the_successor():
    with Simulator() as first:
        link = f"{first.root}/dev/kmsg"
        log = KmsgReader(link, "remoteproc0")
        log.open()
        first.end(signal.SIGKILL)
        assert log.read() == []
        assert os.path.islink(link) and not os.path.exists(link)
        with Simulator(root=first.root) as successor:
            assert "m4 is available" in shell(successor.root, "head -n 1 dev/kmsg").stdout
            assert successor.end() == (0, "")
        assert not os.path.lexists(first.root)


def test_a_reader_that_waits_does_not_keep_the_board():
    with Simulator() as simulator:
        with subprocess.Popen(
            ["cat", f"{simulator.root}/dev/kmsg"], stdout=subprocess.PIPE, stderr=DEVNULL
        ) as cat:
            assert cat.stdout
            cat.stdout.readline()
            wait_until_blocked(cat.pid)
            assert simulator.end() == (0, "")
            assert cat.wait(5) == 1
        assert not os.path.lexists(simulator.root)
