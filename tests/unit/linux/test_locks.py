"""Proves that no two processes hold one file, though its holder removes it."""

from __future__ import annotations

import fcntl
import os
import threading

import pytest

from adapters.linux.locks import (
    flock_or_fail,
    flock_within,
    is_locked,
    lock_or_fail,
    open_locked,
)


def flock(descriptor):
    flock_within(descriptor, 10.0)


def opener(path):
    return lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@pytest.mark.parametrize("lock", [flock_or_fail, lock_or_fail])
def test_a_held_file_is_refused_and_no_descriptor_is_left(tmp_path, lock):
    path = str(tmp_path / "file")
    holder = open_locked(opener(path), lock, path)
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(BlockingIOError):
        open_locked(opener(path), lock, path)
    assert set(os.listdir("/proc/self/fd")) <= before
    os.close(holder)
    os.close(open_locked(opener(path), lock, path))


def test_a_file_that_is_removed_before_it_is_locked_is_opened_again(tmp_path):
    path = str(tmp_path / "file")
    removed: list[int] = []

    def lock(descriptor):
        if not removed:
            os.unlink(path)
            removed.append(descriptor)
        flock(descriptor)

    descriptor = open_locked(opener(path), lock, path)
    try:
        assert os.path.samestat(os.fstat(descriptor), os.stat(path))
    finally:
        os.close(descriptor)


def test_one_at_a_time_though_each_removes_the_file(tmp_path):
    path = str(tmp_path / "file")
    inside, crowds = [], []

    def turns():
        for _ in range(200):
            descriptor = open_locked(opener(path), flock, path)
            inside.append(1)
            if len(inside) > 1:
                crowds.append(len(inside))
            inside.pop()
            os.unlink(path)
            os.close(descriptor)

    threads = [threading.Thread(target=turns) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crowds == []


def test_looking_takes_no_lock(tmp_path):
    path = str(tmp_path / "file")
    holder, other = opener(path)(), opener(path)()
    try:
        assert not is_locked(other)
        lock_or_fail(holder)
        assert is_locked(other) and not is_locked(holder)
        fcntl.fcntl(holder, fcntl.F_OFD_SETLK, fcntl.F_UNLCK.to_bytes(2, "little") + bytes(30))
        assert not is_locked(other)
    finally:
        os.close(holder)
        os.close(other)


def test_nobody_waits_longer_than_it_says(tmp_path):
    path = str(tmp_path / "file")
    holder, other = opener(path)(), opener(path)()
    flock_within(holder, 0.0)
    with pytest.raises(TimeoutError, match="timed out"):
        flock_within(other, 0.02)
    os.close(holder)
    flock_within(other, 0.0)
    os.close(other)
