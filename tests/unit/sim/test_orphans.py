"""No QEMU outlives its owner, whenever the owner is killed by SIGKILL."""

import json
import os
import select
import shutil
import subprocess
import sys
import time

import pytest

from domain.annotations import ProcessorOptions
from tests.unit.sim.helpers import alive

OWNER = """
import json, sys
from adapters.sim.processor import open_processor
from domain.firmware import FirmwareImage
processor = open_processor(json.loads(sys.argv[1]))
image = FirmwareImage("hello.elf", 1, "", sys.argv[2])
processor.load(processor.plan_claim("c1", image), image)
print("ready", flush=True)
processor.start()
print("started", flush=True)
sys.stdin.read()
"""


def descendants(mark):
    """Return the pids of processes that inherited the environment variable MARK."""
    wanted = f"MARK={mark}".encode()
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    found.add(int(pid))
        except OSError:
            continue
    return {pid for pid in found if alive(pid)}


def gone_within(mark, seconds):
    deadline = time.monotonic() + seconds
    while found := descendants(mark):
        if time.monotonic() > deadline:
            return found
        time.sleep(0.01)
    return set()


@pytest.fixture
def owner(make_board, image):
    description = json.dumps(make_board().open_args("remoteproc0", ProcessorOptions()))

    def owner(mark, program="hello"):
        return subprocess.Popen(
            [sys.executable, "-c", OWNER, description, image(program).path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "MARK": mark},
        )

    return owner


@pytest.mark.parametrize("program", ["hello", "spin", "echo"])
def test_running_firmware_dies_with_its_owner(owner, tmp_path, program):
    mark = f"{tmp_path}-running"
    with owner(mark, program) as process:
        assert process.stdout.readline() == b"ready\n"
        assert process.stdout.readline() == b"started\n"
        (qemu,) = descendants(mark) - {process.pid}
        descriptor = os.pidfd_open(qemu)
        process.kill()
    assert select.select([descriptor], [], [], 5)[0] == [descriptor]
    os.close(descriptor)
    assert gone_within(mark, 5) == set()


# A start takes some 50 ms: spawn, setpriv, shell, QEMU's start, its monitor, the first run.
@pytest.mark.parametrize("delay", [ms / 1000 for ms in range(0, 60, 2)])
def test_at_every_instant_of_a_start(owner, tmp_path, delay):
    mark = f"{tmp_path}-{delay}"
    with owner(mark) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay)
        process.kill()
    assert gone_within(mark, 5) == set()


@pytest.mark.parametrize(("program", "asked"), [("setpriv", False), ("qemu-system-arm", True)])
def test_before_and_after_the_child_has_set_its_parent_death_signal(
    owner, tmp_path, monkeypatch, program, asked
):
    """The child is held in front of setpriv, then in front of QEMU, while the owner dies."""
    mark = f"{tmp_path}-{program}"
    gate = tmp_path / "bin" / program
    gate.parent.mkdir()
    real = shutil.which(program)
    gate.write_text(f'#!/bin/sh\ntrap "" HUP\nkill -STOP $$\n: >{gate}.passed\nexec {real} "$@"\n')
    gate.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gate.parent}:{os.environ['PATH']}")
    with owner(mark) as process:
        assert process.stdout.readline() == b"ready\n"
        _stopped(mark, process.pid)
        process.kill()
        process.wait()
    # The kernel itself continues the stopped group of a dead parent: so the child that nobody
    # kills goes on, and must see by itself that its parent has gone.
    assert gone_within(mark, 5) == set()
    assert os.path.exists(f"{gate}.passed") == (not asked)


def _stopped(mark, owner, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for pid in descendants(mark) - {owner}:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "T":
                    return pid
        time.sleep(0.005)
    raise AssertionError("the child never stopped")
