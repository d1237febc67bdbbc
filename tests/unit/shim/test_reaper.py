"""Proves that the shim reports every exit, even if the system refuses threads, descriptors or
memory for a while, or a callback fails."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# The reaper waits for all children of its process, so it gets a process of its own. Children 1 to 6
# exit with their numbers.
PROGRAM = """
import errno, json, os, sys, time
from adapters.containerd import reaper as module
from adapters.containerd.ttrpc import threads

threads._AFTER_AN_ERROR = module._RETRY_EVERY = 0.05
warnings, statuses = [], {{}}
reaper = module.Reaper(warnings.append)

def fail(owner, name, error, times):
    real, left = getattr(owner, name), [times]
    def failing(*arguments):
        if left[0]:
            left[0] -= 1
            raise error
        return real(*arguments)
    setattr(owner, name, failing)

def callback(number, raises):
    def exited(status):
        statuses[number] = status
        if raises:
            raise ValueError("planted")
    return exited

raising = ()
{plant}
for number in range(1, 7):
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"sleep 0.0{{number}}; exit {{number}}"], {{}})
    reaper.watch(pid, callback(number, number in raising))
end = time.monotonic() + 8
while len(statuses) < 6 and time.monotonic() < end:
    time.sleep(0.01)
print(json.dumps([sorted(statuses.items()), warnings]))
"""

PLANTS = {
    "nothing": ("", 0),
    "no thread": (
        'fail(threads, "start", RuntimeError("can\'t start new thread"), 3)',
        0,
    ),
    "no thread ever again": (
        'fail(threads, "start", RuntimeError("can\'t start new thread"), 99)',
        0,
    ),
    "callbacks that raise": ("raising = (1, 2, 3, 4, 5)", 5),
    "callbacks that raise and no thread": (
        'raising = (2, 4); fail(threads, "start", RuntimeError("can\'t start new thread"), 5)',
        2,
    ),
    "no descriptor": ('fail(os, "pidfd_open", OSError(errno.EMFILE, "too many"), 4)', 4),
    "no memory for a descriptor": ('fail(os, "pidfd_open", MemoryError(), 4)', 4),
    "no memory": ('fail(module, "children", MemoryError("planted"), 2)', 2),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_every_exit_is_reported_despite(plant):
    statement, warned = PLANTS[plant]
    command = [sys.executable, "-c", PROGRAM.format(plant=statement)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    statuses, warnings = json.loads(done.stdout)
    assert statuses == [[number, number] for number in range(1, 7)]
    assert len(warnings) == warned, warnings
