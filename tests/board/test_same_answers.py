"""Linux answers as the table says, by which the simulator is held, too."""

from __future__ import annotations

import json

import pytest

from tests.board.vm import boot
from tests.kernel_table.rows import ROWS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_kernel_answers_as_the_table_says():
    """What differs in the simulator says in the table why; nothing else does."""
    runner = ["python3", "tests/kernel_table/run.py"]
    runner += ["--offline", "m4", "--detached", "dsp", "--attached", "m7"]
    with boot("qemu", module="names=m4,dsp,m7 detached=0,1,1 auto_boot=0,0,1") as vm:
        assert vm.release.startswith("6.1.")
        status, output = vm.run(runner, timeout=500)
    assert status == 0, output
    lines = (json.loads(line) for line in output.splitlines() if line.startswith("{"))
    answers = {line["row"]: line["answers"] for line in lines}
    assert len(answers) == len(ROWS)
    wrong = [
        (row.name, step.do, step.answer, got)
        for row in ROWS
        for step, got in zip(row.steps, answers[row.name], strict=True)
        if got != step.answer
    ]
    assert wrong == []


def test_every_difference_has_a_reason():
    """And there are no others than these."""
    for row in ROWS:
        for step in row.steps:
            assert (step.simulated is None) == (step.reason == ""), row.name
    assert {row.name for row in ROWS if any(step.reason for step in row.steps)} == {
        *("start riscv.elf", "start x86-64.elf", "start elf64.elf"),
        "crash, no number",
        *("a signal behind a slow start, start", "a signal behind a slow start, stop"),
        *("told of a dump", "told of a driver that is unbound and bound"),
    }
