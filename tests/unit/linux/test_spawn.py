"""Proves that a new program finds each descriptor at its number, and nothing else of ours."""

from __future__ import annotations

import itertools
import os
import signal
import sys

import pytest

from adapters.linux.spawn import environment_of, spawn

REPORT = """
import os, sys
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for name in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        target = os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        continue
    if int(name) != out:
        os.write(out, f"{name} {target}\\n".encode())
"""


def run(tmp_path, script, descriptors, *arguments):
    command = [sys.executable, "-I", "-S", "-c", script, str(tmp_path / "report"), *arguments]
    pid = spawn(command, {"PATH": "/bin"}, descriptors)
    assert os.waitpid(pid, 0)[1] == 0
    return (tmp_path / "report").read_text()


@pytest.mark.parametrize("numbers", list(itertools.permutations(range(3))), ids=str)
def test_descriptors_may_change_places(tmp_path, numbers):
    """Each descriptor's number may be another's target; none is overwritten before its use."""
    paths = [tmp_path / f"file{number}" for number in range(3)]
    given = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC) for path in paths]
    targets = [given[number] for number in numbers]
    stdio = {0: None, 1: None, 2: None}
    try:
        report = run(tmp_path, REPORT, {**stdio, **dict(zip(targets, given, strict=True))})
    finally:
        for descriptor in given:
            os.close(descriptor)
    expected = {(n, "/dev/null") for n in range(3)} | {
        (target, f"{tmp_path}/file{n}") for n, target in enumerate(targets)
    }
    found = {tuple(line.split(" ", 1)) for line in report.splitlines()}
    assert {(int(n), path) for n, path in found} == expected


def test_signals_are_as_in_a_new_session(tmp_path):
    script = (
        "import sys, os; text = open('/proc/self/status').read();"
        "open(sys.argv[1], 'w').write(text + f'leader {os.getsid(0) == os.getpid()}')"
    )
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        report = run(tmp_path, script, {0: None, 1: None, 2: None})
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    lines = dict(line.split(":\t") for line in report.splitlines() if ":\t" in line)
    assert int(lines["SigBlk"], 16) == 0
    ignored = {n for n in range(1, 32) if int(lines["SigIgn"], 16) & 1 << n - 1}
    assert ignored == {signal.SIGPIPE, signal.SIGXFSZ}, "but those that Python itself ignores"
    assert "leader True" in report


def test_a_program_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        spawn([str(tmp_path / "nothing")], {}, {0: None})


def test_the_environment_is_what_is_named_and_set(monkeypatch):
    monkeypatch.setenv("A", "1")
    monkeypatch.delenv("B", raising=False)
    assert environment_of("A", "B") == {"A": "1"}
