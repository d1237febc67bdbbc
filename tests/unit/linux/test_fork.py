"""Proves that a copy of this process has nothing of this process's state but its memory."""

from __future__ import annotations

import gc
import itertools
import json
import os
import signal
import sys

import pytest

from adapters.linux.fork import fork
from adapters.linux.process import set_title

STDIO = {0: None, 1: None, 2: None}


@pytest.fixture
def report():
    """Runs a function in a copy of this process, and returns what the function returns."""

    def run(function, descriptors=STDIO, environment=None):
        reader, writer = os.pipe()
        to = max(descriptors) + 1

        def work():
            answer = json.dumps(function())
            os.write(to, answer.encode())

        pid = fork(work, environment or {}, {**descriptors, to: writer})
        os.close(writer)
        with open(reader, encoding="utf-8") as file:
            answer = file.read()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
        return json.loads(answer)

    return run


def opened():
    """Return the files of all descriptors, but for the listing's own."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            pass
    return found


@pytest.mark.parametrize("numbers", list(itertools.permutations(range(3))), ids=str)
def test_descriptors_may_change_places_and_no_other_is_open(tmp_path, report, numbers):
    given = [os.open(tmp_path / f"file{number}", os.O_RDWR | os.O_CREAT) for number in range(3)]
    targets = [given[number] for number in numbers]
    try:
        found = report(opened, {**STDIO, **dict(zip(targets, given, strict=True))})
    finally:
        for descriptor in given:
            os.close(descriptor)
    expected = {str(number): "/dev/null" for number in range(3)}
    expected |= {str(at): f"{tmp_path}/file{number}" for number, at in enumerate(targets)}
    answer = found.pop(str(max(targets) + 1))
    assert answer.startswith("pipe:")
    assert found == expected


def test_signals_are_as_in_a_new_session(report):
    def signals():
        with open("/proc/self/status", encoding="ascii") as file:
            lines = dict(line.split(":\t") for line in file if ":\t" in line)
        sets = {key: int(lines[key], 16) for key in ("SigBlk", "SigIgn", "SigCgt")}
        return sets, os.getsid(0) == os.getpid(), signal.set_wakeup_fd(-1)

    reader, writer = os.pipe2(os.O_NONBLOCK)
    hup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    term = signal.signal(signal.SIGUSR1, lambda *_: None)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    wakeup = signal.set_wakeup_fd(writer)
    try:
        sets, leader, woken = report(signals)
        after = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGHUP, hup)
        signal.signal(signal.SIGUSR1, term)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(reader)
        os.close(writer)
    standard = {key: {n for n in range(1, 32) if bits & 1 << n - 1} for key, bits in sets.items()}
    assert standard == {
        "SigBlk": set(),
        "SigIgn": {signal.SIGPIPE, signal.SIGXFSZ},  # those that Python itself ignores
        "SigCgt": set(),
    }
    assert leader
    assert woken == -1
    assert after == {*mask, signal.SIGTERM}, "the caller's own mask stays"


def test_the_environment_is_the_one_given(report, monkeypatch):
    monkeypatch.setenv("SECRET", "of the caller")

    def environment():
        child = os.popen("echo $PATH$SECRET").read()
        return dict(os.environ), child

    given = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    assert report(environment, environment=given) == [given, given["PATH"] + "\n"]


def test_nothing_is_imported_from_the_callers_directory(report, monkeypatch):
    monkeypatch.setattr(sys, "path", ["", ".", *sys.path])
    assert all(os.path.isabs(entry) for entry in report(lambda: sys.path))


def test_a_copy_collects_its_own_garbage_and_no_object_of_the_caller(report):
    gc.disable()
    try:
        enabled, frozen = report(lambda: (gc.isenabled(), gc.get_freeze_count()))
    finally:
        gc.enable()
    assert enabled
    assert frozen > 1000
    assert gc.get_freeze_count() == 0


def test_what_the_caller_has_buffered_is_not_written_twice(tmp_path):
    path = tmp_path / "file"
    with open(path, "w", encoding="ascii") as file:
        file.write("once")
        pid = fork(lambda: None, {}, STDIO)
        os.waitpid(pid, 0)
        assert path.read_text() == ""
    assert path.read_text() == "once"


def test_an_error_is_shown_and_no_caller_is_returned_to(tmp_path):
    error = os.open(tmp_path / "error", os.O_RDWR | os.O_CREAT)
    before = os.getpid()

    def fail():
        raise ValueError("a mistake")

    try:
        pid = fork(fail, {}, {**STDIO, 2: error})
        assert os.getpid() == before
    finally:
        os.close(error)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_a_title_is_what_ps_shows_as_far_as_there_is_room(report):
    def command_line():
        with open("/proc/self/cmdline", "rb") as file:
            room = len(file.read())
        shown = []
        for title in ("first", "second and longer", "x" * 100_000, "last"):
            set_title(title)
            with open("/proc/self/cmdline", "rb") as file:
                shown.append(file.read().rstrip(b"\0").decode())
        return room, shown

    room, shown = report(command_line)
    assert shown[:2] == ["first", "second and longer"[: room - 1]]
    assert shown[2] == "x" * (room - 1)
    assert shown[3] == "last"
