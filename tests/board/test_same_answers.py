"""Linux and the simulator give the same answers, except for differences that each have a reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.board.vm import CHECKOUT, boot
from tests.kernel_table.rows import ROWS
from tests.simulator import ATTACHED, BOARD, Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RUNNER = ["tests/kernel_table/run.py", "--offline", "m4", "--detached", "dsp", "--attached", "m7"]
DIFFERENT = {
    *("start riscv.elf", "start x86-64.elf", "start elf64.elf"),
    "crash, no number",
    *("a signal behind a slow start, start", "a signal behind a slow start, stop"),
    *("notifications of a dump", "notifications of a driver that is unbound and bound"),
}
"""Rows in which a step has two different answers; the step has the reason."""


def answers(output):
    """Return the answers to all steps, by the name of the row and the step's number."""
    found = {}
    for line in output.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            found.update({(row["row"], i): answer for i, answer in enumerate(row["answers"])})
    return found


def ask_linux():
    with boot("qemu", module="names=m4,dsp,m7 detached=0,1,1 auto_boot=0,0,1") as vm:
        assert vm.release.startswith("6.1.")
        status, output = vm.run(["python3", *RUNNER], timeout=500)
    assert status == 0, output
    return vm.release, answers(output)


def ask_simulator():
    with Simulator(board=BOARD + ATTACHED) as simulator:
        command = [sys.executable, *RUNNER, "--root", simulator.root]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return answers(done.stdout)


@pytest.mark.skipif(os.getuid() != 0, reason="the simulator's tree needs root and /dev/fuse")
def test_linux_and_the_simulator_answer_alike(record_property):
    steps = {(row.name, i): step for row in ROWS for i, step in enumerate(row.steps)}
    release, linux = ask_linux()
    simulator = ask_simulator()
    assert linux.keys() == simulator.keys() == steps.keys()
    assert {at: linux[at] for at in steps if linux[at] != steps[at].answer} == {}
    differences = [at for at in steps if linux[at] != simulator[at]]
    lines = [f"{len(ROWS)} rows, {len(steps)} steps: answers of {release} and of the simulator"]
    for name, number in differences:
        step = steps[name, number]
        got = f"{linux[name, number]!r}, {simulator[name, number]!r}"
        lines.append(f"  {name}: {step.do}: {got}: {step.reason or 'UNEXPLAINED'}")
    record_property("scenarios", "\n".join(lines))
    assert [at for at in differences if not steps[at].reason] == [], "unexplained"
    assert {name for name, _ in differences} == DIFFERENT
    assert all(simulator[at] == steps[at].expected_of("sim") for at in steps)
