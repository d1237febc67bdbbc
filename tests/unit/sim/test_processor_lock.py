"""Processes agree on which one runs a processor; readers of the record disturb no process."""

import os
import subprocess
import sys
import threading

import pytest

from adapters.sim.processor_lock import ProcessorLock, read_record
from domain.errors import HostFault

LOCK_HOLDER = """
import sys
from adapters.sim.processor_lock import ProcessorLock
lock = ProcessorLock(sys.argv[1])
assert lock.take({"state": "running"})
print("held", flush=True)
sys.stdin.read()
"""

RACER = """
import sys
from adapters.sim.processor_lock import ProcessorLock
for turn in range(300):
    lock = ProcessorLock(sys.argv[1])
    if lock.take({"turn": turn}):
        with open(sys.argv[2], "x"):  # fails if anybody else is inside
            pass
        import os
        os.unlink(sys.argv[2])
        lock.release()
"""


def test_one_process_has_the_lock_until_it_releases_it(tmp_path):
    path = str(tmp_path / "run" / "board" / "remoteproc0")
    first, second = ProcessorLock(path), ProcessorLock(path)
    assert read_record(path) == {}
    assert first.take({"state": "offline"})
    assert not second.take({})
    first.record({"state": "running"})
    assert read_record(path) == {"state": "running"}
    first.release()
    first.release()
    assert second.take({})
    second.release()
    assert os.listdir(tmp_path) == []


def test_a_dead_process_holds_no_lock(tmp_path):
    path = str(tmp_path / "run" / "board" / "remoteproc0")
    with subprocess.Popen(
        [sys.executable, "-c", LOCK_HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as lock_holder:
        assert lock_holder.stdout
        assert lock_holder.stdout.readline() == b"held\n"
        assert read_record(path) == {"state": "running"}
        assert not ProcessorLock(path).take({})
        lock_holder.kill()
    assert read_record(path) == {}
    mine = ProcessorLock(path)
    assert mine.take({})
    mine.release()
    assert os.listdir(tmp_path) == []


def test_many_at_once_are_never_two_inside_and_leave_nothing(tmp_path):
    path, inside = str(tmp_path / "run" / "board" / "remoteproc0"), str(tmp_path / "inside")
    racers = [subprocess.Popen([sys.executable, "-c", RACER, path, inside]) for _ in range(4)]
    assert [racer.wait() for racer in racers] == [0] * 4
    assert os.listdir(tmp_path) == []


def test_a_reader_sees_one_record_or_the_next(tmp_path):
    path = str(tmp_path / "run" / "board" / "remoteproc0")
    lock = ProcessorLock(path)
    assert lock.take({"state": "a" * 200})
    done = threading.Event()

    def write():
        for number in range(3000):
            lock.record({"state": "ab"[number % 2] * (1 + number % 200)})
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert len(set(read_record(path)["state"])) == 1
    writer.join()
    lock.release()


def test_a_directory_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(HostFault, match=r"run/board: Not a directory \(ENOTDIR\)"):
        ProcessorLock(str(tmp_path / "run" / "board" / "remoteproc0")).take({})
