"""Core dumps are saved in pieces, sparsely, and within bounds; what is not whole is not left."""

from __future__ import annotations

import fcntl
import os
import time

import pytest

from adapters.sysfs import coredump
from adapters.sysfs.coredump import Coredumps
from tests.sandbox import in_child, small_tmpfs

MIB = 1 << 20


class Kernel:
    """A tree with a processor, and the core dumps that the kernel keeps of it."""

    def __init__(self, place):
        self.root = str(place)
        self.processor = f"{self.root}/sys/class/remoteproc/remoteproc0"
        self.directory = f"{self.root}/dumps"
        os.makedirs(self.processor)
        os.makedirs(f"{self.root}/sys/class/devcoredump")
        self.dumps = Coredumps(self.root, self.processor, self.directory)

    def crash(self, data, number=1):
        """Make a core dump; return the path of its `data`."""
        entry = f"{self.root}/sys/class/devcoredump/devcd{number}"
        os.makedirs(entry)
        os.symlink(self.processor, f"{entry}/failing_device")
        with open(f"{entry}/data", "wb") as file:
            file.write(data)
        return f"{entry}/data"

    def save(self, container="box"):
        """Save all; return how many steps that took, and the remarks."""
        self.dumps.begin(container)
        steps = 0
        while self.dumps.busy:
            self.dumps.step()
            steps += 1
        return steps, self.dumps.remarks()

    def files(self):
        return sorted(os.listdir(self.directory))


@pytest.fixture
def kernel(tmp_path):
    return Kernel(tmp_path)


def test_a_dump_is_saved_whole_and_freed(kernel):
    data = b"\x7fELF" + os.urandom(10_000)
    freed = kernel.crash(data)
    _, (remark,) = kernel.save()
    (name,) = kernel.files()
    path = f"{kernel.directory}/{name}"
    assert remark == f"core dump of {len(data)} bytes saved to {path}"
    assert name.startswith("box-") and name.endswith("-devcd1.core")
    with open(path, "rb") as file:
        assert file.read() == data
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(kernel.directory).st_mode & 0o777 == 0o700
    with open(freed, "rb") as file:
        assert file.read(1) == b"1", "a write lets the kernel free it"


def test_zeros_take_no_space(kernel):
    data = b"\x7fELF" + bytes(40 * MIB) + b"text" + bytes(3 * MIB)
    kernel.crash(data)
    kernel.save()
    path = f"{kernel.directory}/{kernel.files()[0]}"
    assert os.path.getsize(path) == len(data)
    assert os.stat(path).st_blocks * 512 <= MIB
    with open(path, "rb") as file:
        assert file.read() == data


def test_a_large_dump_takes_many_short_steps(kernel):
    """The supervisor hears signals between two."""
    kernel.crash(os.urandom(MIB) * 64)
    kernel.dumps.begin("box")
    longest = 0.0
    steps = 0
    while kernel.dumps.busy:
        begun = time.thread_time()
        kernel.dumps.step()
        longest = max(longest, time.thread_time() - begun)
        steps += 1
    assert steps >= 16 and longest < 0.5


def test_a_dump_that_is_too_large_is_not_left(kernel, monkeypatch):
    monkeypatch.setattr(coredump, "SIZE_MAX", 8 * MIB)
    kernel.crash(bytes(8 * MIB + 1))
    _, (remark,) = kernel.save()
    assert remark.startswith("cannot save the core dump to ")
    assert remark.endswith("it has more than 8 MiB")
    assert kernel.files() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_some_space_stays_free(tmp_path):
    def save():
        kernel = Kernel(tmp_path)
        os.mkdir(kernel.directory)
        small_tmpfs(kernel.directory, 20 * MIB)
        os.chmod(kernel.directory, 0o700)
        kernel.crash(os.urandom(19 * MIB), 1)
        kernel.crash(os.urandom(10 * MIB), 2)
        _, remarks = kernel.save()
        found = os.statvfs(kernel.directory)
        return remarks, kernel.files(), found.f_bavail * found.f_frsize

    (first, second), files, free = in_child(save)
    assert first.endswith("no more than the space to be kept free is left")
    assert second.startswith("core dump of ")
    assert len(files) == 1 and files[0].endswith("devcd2.core")
    assert free >= 2 * MIB


def test_the_newest_are_kept(kernel):
    os.mkdir(kernel.directory, 0o700)
    for number in range(20):
        path = f"{kernel.directory}/old-{number:02}.core"
        with open(path, "w"):
            os.utime(path, (number, number))
    with open(f"{kernel.directory}/notes.txt", "w"):
        pass
    kernel.crash(b"new")
    kernel.save()
    dumps = [name for name in kernel.files() if name.endswith(".core")]
    assert len(dumps) == coredump.KEPT
    assert [name for name in dumps if name.startswith("old")] == [
        f"old-{number:02}.core" for number in range(20 - coredump.KEPT + 1, 20)
    ]
    assert "notes.txt" in kernel.files()


def test_what_is_aborted_is_removed_and_stays_with_the_kernel(kernel):
    data = kernel.crash(os.urandom(20 * MIB))
    kernel.dumps.begin("box")
    kernel.dumps.step()
    kernel.dumps.abort()
    assert not kernel.dumps.busy and kernel.files() == []
    (remark,) = kernel.dumps.remarks()
    assert "the core dump was not saved: stopped after" in remark
    assert os.path.getsize(data) == 20 * MIB


def test_what_dead_processes_left_is_removed_but_not_what_others_write(kernel):
    os.mkdir(kernel.directory, 0o700)
    for name in ("dead.core~", "alive.core~"):
        with open(f"{kernel.directory}/{name}", "w"):
            pass
    with open(f"{kernel.directory}/alive.core~") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        kernel.crash(b"new")
        kernel.save()
        assert [name for name in kernel.files() if name.endswith("~")] == ["alive.core~"]


def test_a_directory_that_others_may_write_gets_no_dump(kernel):
    """The memory of a processor may hold secrets."""
    os.mkdir(kernel.directory)
    os.chmod(kernel.directory, 0o777)
    kernel.crash(b"secret")
    _, (remark,) = kernel.save()
    assert remark.startswith("cannot save a core dump: other users can write to directory")
    assert kernel.files() == []
