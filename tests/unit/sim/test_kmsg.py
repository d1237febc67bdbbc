"""The simulated /dev/kmsg returns whole records; EPIPE tells a reader that records were lost."""

import errno
import os
import threading

import pytest

from adapters.sim.fuse.kmsg import KmsgFile

NOWAIT = os.O_RDONLY | os.O_NONBLOCK
SIZE = 8192


class Reader:
    """An open file as the kernel has it: a handle, and a position that each read advances."""

    def __init__(self, log, flags=NOWAIT):
        self.log = log
        self.handle = log.open(flags)
        self.position = 0

    def seek_end(self):
        self.position = self.log.size

    def read(self, size=SIZE):
        record = self.handle.read(size, self.position)
        self.position += len(record)
        return record

    def text(self):
        return self.read().split(b";")[1].split(b"\n")[0].decode()

    def texts(self):
        found = []
        while True:
            try:
                found.append(self.text().removeprefix("remoteproc remoteproc0: "))
            except BlockingIOError:
                return found


@pytest.fixture
def log():
    return KmsgFile(lambda: False)


def emit(log, *texts):
    for text in texts:
        log.emit("remoteproc0", 6, text)


def small():
    """Return a log with room for three records of this length."""
    log = KmsgFile(lambda: False)
    emit(log, "0 fills")
    return KmsgFile(lambda: False, ring=3 * log.size + 10)


def fails(number, call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    assert caught.value.errno == number, errno.errorcode[caught.value.errno or 0]


def test_a_record_is_as_the_kernel_makes_it(log):
    log.emit("remoteproc3", 3, "crash detected in m4: type watchdog")
    emit(log, "stopped")
    reader = Reader(log)
    first, more, *rest = reader.read().decode().splitlines()
    head, text = first.split(";")
    level, number, stamp, flag = head.split(",")
    assert (level, number, flag) == ("3", "0", "-") and stamp.isdigit()
    assert text == "remoteproc remoteproc3: crash detected in m4: type watchdog"
    assert [more, *rest] == [" SUBSYSTEM=remoteproc", " DEVICE=+remoteproc:remoteproc3"]
    later = reader.read().decode().split(";")[0].split(",")
    assert later[:2] == ["6", "1"] and int(later[2]) >= int(stamp)


def test_names_cannot_forge_records(log):
    emit(log, "Booting fw image a\n3,9,9,-;crash\\\udcff\té, size 1")
    text = Reader(log).read()
    assert text.count(b"\n") == 3
    assert rb"a\x0a3,9,9,-;crash\x5c\xff\x09\xc3\xa9, size 1" in text


def test_long_lines_are_cut_and_fit_one_read(log):
    emit(log, "\n" * 5000)
    assert 3000 < len(Reader(log).read()) < SIZE


def test_each_reader_gets_all_from_the_oldest_to_the_end(log):
    emit(log, "a", "b")
    readers = [Reader(log), Reader(log)]
    assert readers[0].texts() == ["a", "b"]
    emit(log, "c")
    assert readers[1].texts() == ["a", "b", "c"]
    assert readers[0].texts() == ["c"]
    assert Reader(log).texts() == ["a", "b", "c"]


def test_the_end_means_from_now_on(log):
    reader = Reader(log)
    reader.seek_end()
    assert reader.texts() == []
    emit(log, "a")
    assert reader.texts() == ["a"]
    emit(log, "b")
    reader.seek_end()
    emit(log, "c")
    assert reader.texts() == ["c"]
    reader.position = 0
    assert reader.texts() == ["a", "b", "c"]


@pytest.mark.parametrize("before", ["nothing", "a read", "a seek"])
def test_a_slow_reader_gets_epipe_once_and_goes_on(before):
    log = small()
    emit(log, "0 fills")
    reader = Reader(log)
    if before == "a read":
        assert reader.text().endswith("0 fills")
    if before == "a seek":
        reader.seek_end()
    emit(log, *(f"{i} fills" for i in range(1, 9)))
    fails(errno.EPIPE, reader.read)
    assert reader.texts() == ["6 fills", "7 fills", "8 fills"]
    emit(log, "9 fills")
    assert reader.texts() == ["9 fills"], "though its offset is no longer the log's"
    assert Reader(log).texts() == ["7 fills", "8 fills", "9 fills"], "who is new has lost nothing"


def test_after_a_loss_a_seek_is_still_one():
    log = small()
    reader = Reader(log)
    emit(log, *(f"{i} fills" for i in range(9)))
    fails(errno.EPIPE, reader.read)
    assert reader.text().endswith("6 fills")
    reader.seek_end()
    emit(log, "x fills")
    assert reader.texts() == ["x fills"]
    reader.position = 0
    assert reader.texts() == ["7 fills", "8 fills", "x fills"]


def test_a_record_that_does_not_fit_is_lost(log):
    emit(log, "a", "b")
    reader = Reader(log)
    fails(errno.EINVAL, reader.read, 10)
    assert reader.texts() == ["b"]


@pytest.mark.parametrize("offset", [1, 7, 111, 10**6, 2**62])
def test_any_offset_gives_whole_records_or_none(log, offset):
    emit(log, "a", "b", "c")
    reader = Reader(log)
    reader.position = offset
    assert reader.texts() in (["b", "c"], ["c"], [])
    emit(log, "d")
    assert reader.texts() == ["d"]


def test_nobody_else_writes(log):
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
        fails(errno.EPERM, log.open, flags)


def test_a_blocking_reader_gets_the_next_record(log):
    reader = Reader(log, os.O_RDONLY)
    got = []
    thread = threading.Thread(target=lambda: got.append(reader.text()))
    thread.start()
    while not log.waiting:
        pass
    emit(log, "at last")
    thread.join(5)
    assert got == ["remoteproc remoteproc0: at last"]
    assert log.waiting == 0


def test_a_signal_ends_the_wait():
    signals = iter([False, False, True])
    reader = Reader(KmsgFile(lambda: next(signals)), os.O_RDONLY)
    fails(errno.EINTR, reader.read)
    assert reader.log.waiting == 0


def test_not_all_threads_can_be_made_to_wait():
    ended = threading.Event()
    log = KmsgFile(ended.is_set)
    refused = threading.Semaphore(0)

    def read():
        try:
            Reader(log, os.O_RDONLY).read()
        except BlockingIOError:
            refused.release()
        except InterruptedError:
            pass

    threads = [threading.Thread(target=read) for _ in range(9)]
    for thread in threads:
        thread.start()
    assert all(refused.acquire(timeout=5) for _ in range(5))
    ended.set()
    for thread in threads:
        thread.join(5)
    assert not refused.acquire(blocking=False), "four waited"


def test_many_writers_lose_no_record(log):
    def write(name):
        for number in range(50):
            emit(log, f"{name} {number}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = Reader(log).texts()
    assert sorted(texts) == sorted(f"{name} {number}" for name in "abcd" for number in range(50))
