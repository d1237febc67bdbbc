"""Proves that a cached value is used only if it is what the file says, whatever has happened to the
cache, and that no problem with the cache fails a command."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from binascii import crc32

import pytest

from adapters import __version__
from adapters.config import parsed_cache
from adapters.config.parsed_cache import LARGEST, SLOTS, read_parsed
from adapters.sim.board_file import load_board
from domain.errors import InvalidRequest
from tests.sandbox import in_child, small_tmpfs

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")


class Reader:
    """Reads one file through one cache, and counts how often the file was parsed."""

    def __init__(self, place):
        self.path = f"{place}/file.yaml"
        self.directory = f"{place}/run/parsed"
        self.parsed = 0
        self.write("one")

    def write(self, text):
        with open(self.path, "w") as file:
            file.write(text)

    def read(self):
        return read_parsed(self.path, f"{self.directory}/kind", self._parse, self._build)

    def _parse(self, text):
        self.parsed += 1
        if "wrong" in text:
            raise InvalidRequest(f"{self.path}:1: is wrong")
        return {"says": text}

    def _build(self, value):
        return ("built", value["says"])

    def reparsed(self):
        """Read, and tell whether the file was parsed for it."""
        before = self.parsed
        with open(self.path) as file:
            assert self.read() == ("built", file.read())
        return self.parsed > before

    @property
    def slot(self):
        (name,) = os.listdir(self.directory)
        return f"{self.directory}/{name}"


@pytest.fixture
def reader(tmp_path):
    return Reader(tmp_path)


@pytest.fixture
def warm(reader):
    assert reader.reparsed()
    assert not reader.reparsed()
    return reader


@pytest.fixture(autouse=True)
def no_descriptor_leaks():
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert set(os.listdir("/proc/self/fd")) <= before


def test_the_cache_is_json_of_its_owner_alone(warm):
    with open(warm.slot) as file:
        assert json.load(file)[1:] == [[__version__, "one", {"says": "one"}]]
    assert stat.S_IMODE(os.stat(warm.slot).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(warm.directory).st_mode) == 0o700


def test_without_a_cache_the_file_is_parsed(reader):
    assert read_parsed(reader.path, "", str.upper, str) == "ONE"


# --- stale ----------------------------------------------------------------------------------


def test_a_changed_file_is_parsed(warm):
    warm.write("two")
    assert warm.reparsed()
    assert not warm.reparsed()


def test_a_change_that_leaves_size_and_times_alike_is_seen(warm):
    before = os.stat(warm.path)
    warm.write("two")
    os.utime(warm.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert warm.reparsed()


def test_no_change_is_missed_however_fast_it_follows(reader):
    for number in range(200):  # many within one tick of the filesystem's clock
        reader.write(f"{number:03}")
        assert reader.reparsed()


def test_a_file_that_changes_while_it_is_parsed_is_cached_as_it_was(reader):
    def parse(text):
        reader.write("two")
        return {"says": text}

    cache = f"{reader.directory}/kind"
    assert read_parsed(reader.path, cache, parse, lambda value: value["says"]) == "one"
    assert reader.reparsed()


def test_another_version_parses_anew(warm, monkeypatch):
    monkeypatch.setattr(parsed_cache, "__version__", "0.0.0")
    assert warm.reparsed()
    assert not warm.reparsed()


def test_a_mistake_is_never_cached(warm):
    warm.write("wrong")
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="is wrong"):
            warm.read()
    warm.write("one")
    assert not warm.reparsed()


def test_a_file_that_has_gone_is_not_read_from_the_cache(warm):
    os.unlink(warm.path)
    with pytest.raises(FileNotFoundError):
        warm.read()


# --- damaged --------------------------------------------------------------------------------


def test_every_damaged_byte_is_noticed(warm):
    with open(warm.slot, "rb") as file:
        sound = file.read()
    for place in range(len(sound) - len(b"]\n") - 1):
        with open(warm.slot, "wb") as file:
            file.write(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert warm.reparsed(), place


@pytest.mark.parametrize("size", [0, 1, 20, 40])
def test_a_cut_file_is_noticed(warm, size):
    os.truncate(warm.slot, size)
    assert warm.reparsed()
    assert not warm.reparsed()


@pytest.mark.parametrize("value", [None, 5, [], {}, "says", {"said": 1}])
def test_a_value_of_another_shape_is_parsed_anew(warm, value):
    body = json.dumps([__version__, "one", value]).encode()
    with open(warm.slot, "wb") as file:
        file.write(b"[%d,\n%s\n]\n" % (crc32(body), body))
    assert warm.reparsed()
    assert not warm.reparsed()


@pytest.mark.parametrize("body", [b"[" * 30_000, b"{}", b"[1, 2]", b"\xff", b"null"])
def test_any_body_with_a_right_checksum_is_survived(warm, body):
    with open(warm.slot, "wb") as file:
        file.write(b"[%d,\n%s\n]\n" % (crc32(body), body))
    assert warm.reparsed()


# --- not ours -------------------------------------------------------------------------------


def forge(path):
    """Write a slot that would be right, but says something else."""
    body = json.dumps([__version__, "one", {"says": "forged"}]).encode()
    with open(path, "wb") as file:
        file.write(b"[%d,\n%s\n]\n" % (crc32(body), body))
    os.chmod(path, 0o600)


def test_the_forgery_would_work(warm):
    """Without this, the tests below would prove nothing."""
    forge(warm.slot)
    assert warm.read() == ("built", "forged")


@as_root
def test_a_foreign_file_is_replaced(warm):
    forge(warm.slot)
    os.chown(warm.slot, 12345, 12345)
    assert warm.reparsed()
    assert os.stat(warm.slot).st_uid == 0
    assert not warm.reparsed()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_replaced(warm, mode):
    forge(warm.slot)
    os.chmod(warm.slot, mode)
    assert warm.reparsed()
    assert stat.S_IMODE(os.stat(warm.slot).st_mode) == 0o600


def test_a_symbolic_link_is_replaced_and_its_target_kept(warm, tmp_path):
    target = tmp_path / "target"
    forge(target)
    slot = warm.slot
    os.unlink(slot)
    os.symlink(target, slot)
    assert warm.reparsed()
    assert b"forged" in target.read_bytes()
    assert not os.path.islink(slot)
    assert not warm.reparsed()


@as_root
def test_a_foreign_directory_is_neither_read_nor_written(warm):
    forge(warm.slot)
    os.chown(warm.directory, 12345, 12345)
    assert warm.reparsed()
    assert warm.reparsed()


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_directory_that_others_may_write_is_neither_read_nor_written(warm, mode):
    forge(warm.slot)
    os.chmod(warm.directory, mode)
    assert warm.reparsed()
    assert warm.reparsed()


def test_a_directory_by_symbolic_link_is_neither_read_nor_written(warm, tmp_path):
    forge(warm.slot)
    os.rename(warm.directory, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", warm.directory)
    assert warm.reparsed()
    assert warm.reparsed()


def test_a_link_in_the_temporary_files_place_is_not_followed(reader, tmp_path):
    os.makedirs(reader.directory, 0o700)
    victim = tmp_path / "victim"
    victim.write_text("kept")
    os.symlink(victim, f"{reader.directory}/new~")
    assert reader.reparsed()
    assert victim.read_text() == "kept"


# --- unwritable -----------------------------------------------------------------------------


def test_a_cache_that_cannot_be_made(reader, tmp_path):
    (tmp_path / "run").write_text("a file where the directory should be")
    assert reader.reparsed()
    assert reader.reparsed()


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_something_else_in_the_slot(warm, kind):
    slot = warm.slot
    os.unlink(slot)
    (os.mkfifo if kind == "fifo" else os.mkdir)(slot)
    assert warm.reparsed()
    assert warm.reparsed() == (kind == "directory")  # a FIFO is replaced


def test_a_read_only_cache_is_read_and_a_full_one_survived(tmp_path):
    def full():
        small_tmpfs(str(tmp_path), "64k")
        reader = Reader(tmp_path)
        with open(tmp_path / "filler", "wb") as filler:
            try:
                filler.write(b"x" * (1 << 17))
                filler.flush()
            except OSError:
                pass
            descriptor = os.dup(filler.fileno())
            try:
                filler.close()
            except OSError:
                pass
        survived = reader.reparsed() and reader.reparsed()
        os.truncate(descriptor, 0)
        os.close(descriptor)
        recovered = reader.reparsed() and not reader.reparsed()
        import ctypes

        remounted = ctypes.CDLL(None).mount(
            b"none", os.fsencode(str(tmp_path)), b"tmpfs", ctypes.c_ulong(1 | 32), b"size=64k"
        )  # MS_RDONLY, MS_REMOUNT
        read_only = remounted == 0 and not reader.reparsed()
        other = f"{reader.directory}/other"
        says = read_parsed(reader.path, other, str.upper, str)
        return survived, recovered, read_only, says

    assert in_child(full) == (True, True, True, "ONE")


# --- bounds and concurrency -----------------------------------------------------------------


def test_the_number_of_files_is_bounded(reader, tmp_path):
    for number in range(3 * SLOTS):
        reader.path = str(tmp_path / f"{number}.yaml")
        reader.write(f"{number}")
        assert reader.reparsed()
    assert SLOTS / 2 < len(os.listdir(reader.directory)) <= SLOTS


def test_two_files_of_one_slot_never_get_each_others_value(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(parsed_cache, "SLOTS", 1)
    for _ in range(3):
        for name in ("a", "b"):
            reader.path = str(tmp_path / name)
            reader.write(name)
            assert reader.reparsed()


def test_a_large_file_is_parsed_and_not_cached(reader):
    reader.write("x" * LARGEST)
    assert reader.reparsed()
    assert reader.reparsed()
    assert not os.path.exists(reader.directory)


def test_a_file_without_end_is_refused():
    with pytest.raises(InvalidRequest, match="/dev/zero: is larger than 1 MiB"):
        read_parsed("/dev/zero", "", str, str)


def test_a_process_killed_while_it_stores_leaves_one_file_that_is_used_again(reader):
    os.makedirs(reader.directory, 0o700)
    with open(f"{reader.directory}/new~", "w") as file:
        file.write("half of something longer than what is going to replace it" * 9)
    assert reader.reparsed()
    assert not reader.reparsed()
    assert reader.slot.endswith(".json")


def test_concurrent_writers_leave_a_whole_value(tmp_path, monkeypatch):
    """Two processes read two files of one slot: each replaces the other's value all the time."""
    monkeypatch.setattr(parsed_cache, "SLOTS", 1)
    until = time.monotonic() + 1
    deadline = until + 30

    def read_often(name):
        """Read for a second, and on until both readers have found the other's value often."""
        reader = Reader(tmp_path)
        reader.path = str(tmp_path / name)
        reader.write(name * 500)
        enough = tmp_path / f"enough-{name}"
        others = [tmp_path / f"enough-{other}" for other in "ab"]
        while (now := time.monotonic()) < until or not all(map(os.path.exists, others)):
            assert reader.read() == ("built", name * 500)
            time.sleep(1e-6)  # so that both run in turn, also on a busy machine
            if reader.parsed > 10:
                enough.touch()
            if now > deadline:
                break
        return reader.parsed

    found = []
    thread = threading.Thread(target=lambda: found.append(read_often("a")))
    thread.start()
    found.append(in_child(lambda: read_often("b")))
    thread.join()
    assert len(found) == 2 and min(found) > 10
    with open(Reader(tmp_path).slot, "rb") as file:
        head, body, _ = file.read().split(b"\n", 2)
    assert head == b"[%d," % crc32(body)


# --- boards ---------------------------------------------------------------------------------


@pytest.mark.parametrize("board", ["quad", "riscv32"])
def test_a_cached_board_is_the_board(tmp_path, monkeypatch, board):
    cache = str(tmp_path / "parsed" / "board")
    parsed = load_board(board, "", cache)
    assert parsed == load_board(board)
    monkeypatch.setattr("adapters.sim.board_file.parse_board", None)
    assert load_board(board, "", cache) == parsed
