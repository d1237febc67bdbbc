"""Proves where a container's output goes and its input comes from, with and without a reader."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from adapters.containerd.logger import Logger
from adapters.containerd.ttrpc.errors import Code
from adapters.linux.process_tree import children
from tests.waiting import wait_until


def read_for(descriptor, text, seconds=10):
    """What arrives until the text has, or the end."""
    seen, end = b"", time.monotonic() + seconds
    while text not in seen and time.monotonic() < end:
        if select.select([descriptor], [], [], 0.1)[0]:
            data = os.read(descriptor, 65536)
            if not data:
                break
            seen += data
    return seen


def end(shim, name):
    shim.call("Kill", id=name, signal=signal.SIGTERM)
    shim.call("Wait", id=name, timeout=10)


@pytest.fixture
def fifos(shim):
    paths = [f"{shim.folder}/{name}" for name in ("in", "out", "err")]
    for path in paths:
        os.mkfifo(path)
    return paths


def test_fifo_nobody_reads(served, fifos):
    _, out, err = fifos
    served.create("first", stdout=out, stderr=err)
    served.call("Start", id="first")
    log = Path(f"{served.root}/first/log")
    wait_until(lambda: log.exists() and b"tick 1" in log.read_bytes())
    end(served, "first")
    # Nobody has come so far: what the pipe holds is there for who comes before the deletion.
    late = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
    assert b"tick 1" in read_for(late, b"tick 1", 2)
    os.close(late)
    served.call("Delete", id="first")


def test_readers_come_and_go(served, fifos):
    _, out, err = fifos
    served.create("first", stdout=out, stderr=err)
    served.call("Start", id="first")
    for _ in range(3):
        reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        assert b"tick" in read_for(reader, b"tick")
        os.close(reader)
    reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
    end(served, "first")
    read_for(reader, b"never", 1)
    assert os.read(reader, 1) == b"", "a reader sees the end once the firmware has ended"
    os.close(reader)
    served.call("Delete", id="first")


def test_typing_reaches_the_firmware_until_stdin_is_closed(served, fifos):
    stdin, out, err = fifos
    served.bundle("c", "echo")
    served.create("c", stdin=stdin, stdout=out, stderr=err)
    served.call("Start", id="c")
    reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
    for word in (b"one", b"two"):
        writer = os.open(stdin, os.O_WRONLY)
        os.write(writer, word + b"\r")
        os.close(writer)
        assert b"you said: " + word in read_for(reader, b"you said: " + word)
    served.call("CloseIO", id="c", stdin=True)
    served.call("CloseIO", id="c", stdin=True)
    assert served.call("State", id="c").status == 2
    os.close(reader)
    end(served, "c")


def test_a_terminal_is_one_stream_in_raw_mode(served, fifos):
    stdin, out, _ = fifos
    served.create("first", stdin=stdin, stdout=out, terminal=True)
    served.call("Start", id="first")
    served.call("ResizePty", id="first", width=80, height=24)
    reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
    assert b"tick 1\r\n" in read_for(reader, b"tick 2")
    writer = os.open(stdin, os.O_WRONLY)
    os.write(writer, b"\x03")
    assert served.call("Wait", id="first", timeout=5).exit_status == 0
    os.close(writer)
    os.close(reader)


def test_file(served):
    path = f"{served.folder}/logs/deep/out"
    for _ in range(2):
        served.bundle("c", "exit") if not os.path.exists(f"{served.folder}/c") else None
        served.create("c", stdout=f"file://{path}", stderr=f"file://{path}")
        served.call("Start", id="c")
        assert served.call("Wait", id="c").exit_status == 7
        served.call("Delete", id="c")
    with open(path) as file:
        assert file.read().count("7") >= 2, "the second run appends"


LOGGER = """#!{python}
import os, sys
path = sys.argv[sys.argv.index("to") + 1]
log = open(path, "wb")
log.write(f"{{os.environ['CONTAINER_NAMESPACE']}}/{{os.environ['CONTAINER_ID']}}\\n".encode())
os.close(5)
while data := os.read(3, 4096):
    log.write(data)
log.close()
os.rename(path, path + ".done")
"""


def test_logger_program(served):
    program, log = f"{served.folder}/logger", f"{served.folder}/log"
    with open(program, "w") as file:
        file.write(LOGGER.format(python=sys.executable))
    os.chmod(program, 0o755)
    served.bundle("c", "exit")
    uri = f"binary://{program}?to={log}"
    served.create("c", stdout=uri, stderr=uri)
    served.call("Start", id="c")
    assert served.call("Wait", id="c").exit_status == 7
    served.call("Delete", id="c")
    wait_until(lambda: os.path.exists(f"{log}.done"), 20)
    with open(f"{log}.done") as file:
        lines = file.read().splitlines()
    assert lines[0] == "tests/c" and len(lines) > 1


def test_a_logger_that_cannot_be_watched_leaves_no_descriptor(monkeypatch):
    def refuse(_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    descriptors, processes = os.listdir("/proc/self/fd"), children(os.getpid())
    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        Logger("binary:///bin/cat", "c", "tests")
    assert os.listdir("/proc/self/fd") == descriptors
    for ended in set(children(os.getpid())).difference(processes):
        os.waitpid(ended, 0)  # it has no input any more


@pytest.mark.parametrize(
    "uri, word",
    [
        *(("binary:///no/such", "ENOENT"), ("binary://x", "absolute"), ("tcp://x", "kind")),
        *(("binary://[", "binary://["), ("binary:///bin/true?%00", "null"), ("/a\0", "null")),
    ],
)
def test_outputs_that_cannot_be(served, uri, word):
    error = served.refusal("Create", id="first", bundle=f"{served.folder}/first", stdout=uri)
    assert word in error.message and error.code in (Code.UNKNOWN, Code.INVALID_ARGUMENT)
    assert "internal error" not in error.message
    served.create("first")


def test_no_descriptor_stays_open(served, fifos):
    stdin, out, err = fifos
    served.bundle("c", "exit")

    def opened():
        return len(os.listdir(f"/proc/{served.process.pid}/fd"))

    counts = []
    for _ in range(5):
        served.create("c", stdin=stdin, stdout=out, stderr=err)
        served.call("Start", id="c")
        served.call("Wait", id="c")
        served.call("Delete", id="c")
        counts.append(opened())
    wait_until(lambda: opened() <= counts[0])
