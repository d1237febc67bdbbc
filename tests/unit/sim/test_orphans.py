"""No QEMU outlives its owner, whenever the owner is killed by SIGKILL."""

import json
import os
import select
import subprocess
import sys
import time

import pytest

from domain.annotations import ProcessorOptions
from tests.unit.sim.helpers import alive
from tests.waiting import wait_until

# The owner's child waits at a gate, if there is one, before it is confined, or before QEMU begins.
OWNER = """
import json, os, sys, time
from adapters.sim.processor import open_processor
from tests.firmware_images import image_of

if len(sys.argv) > 3:
    from adapters.sim import spawn
    confine, ask, gate = spawn.confine, spawn.libc.die_with_parent, sys.argv[4]

    def wait(confinement):
        open(gate + ".reached", "w").close()
        open(gate).read()
        open(gate + ".passed", "w").close()
        return confine(confinement)

    def ask_and_sleep(number):
        ask(number)
        time.sleep(60)

    if sys.argv[3] == "before":
        spawn.confine = wait
    else:
        spawn.libc.die_with_parent = ask_and_sleep
processor = open_processor(json.loads(sys.argv[1]))
image = image_of(sys.argv[2])
processor.load(processor.plan_claim("c1", image), image)
print("ready", flush=True)
processor.start()
print("started", flush=True)
sys.stdin.read()
"""


def descendants(mark):
    """Return the pids of the owner and its children: the mark is an argument of them all."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if mark.encode() in file.read():
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
    def owner(mark, program="hello", gate=()):
        board = make_board(extra=f'options: ["-name", "{mark}"]')
        description = json.dumps(board.open_args("remoteproc0", ProcessorOptions()))
        return subprocess.Popen(
            [sys.executable, "-c", OWNER, description, image(program).path, *gate],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
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


# A start takes some 50 ms: fork, namespaces, QEMU's start, its monitor, the first run.
@pytest.mark.parametrize("delay", [ms / 1000 for ms in range(0, 60, 2)])
def test_at_every_instant_of_a_start(owner, tmp_path, delay):
    mark = f"{tmp_path}-{delay}"
    with owner(mark) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay)
        process.kill()
    assert gone_within(mark, 5) == set()


def test_before_the_child_has_set_its_parent_death_signal(owner, tmp_path):
    """Nobody kills the child then: it must see by itself that its parent has gone."""
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    held = os.open(gate, os.O_RDWR)
    with owner(str(tmp_path), gate=("before", gate)) as process:
        assert process.stdout.readline() == b"ready\n"
        wait_until(lambda: os.path.exists(f"{gate}.reached"))
        process.kill()
        process.wait()
    assert len(descendants(str(tmp_path))) == 1
    os.close(held)
    assert gone_within(str(tmp_path), 5) == set()
    assert os.path.exists(f"{gate}.passed")


def test_after_the_child_has_set_its_parent_death_signal(owner, tmp_path):
    with owner(str(tmp_path), gate=("after", "")) as process:
        assert process.stdout.readline() == b"ready\n"
        wait_until(lambda: any(map(filtered, descendants(str(tmp_path)))))
        process.kill()
        process.wait()
    assert gone_within(str(tmp_path), 5) == set()


def filtered(pid):
    """Whether the process has given up all rights: it asks for the signal right then."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return "Seccomp:\t2" in file.read()
    except OSError:
        return False
