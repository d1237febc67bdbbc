"""That a crash on a real kernel ends the container at once, with its status and its reason.

On User Mode Linux, which runs as fast as the host: the time is meant as it is said.
"""

from __future__ import annotations

import json
import statistics

import pytest

from tests.board.vm import boot

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TIMES = 10


def test_a_crash_ends_the_container_within_150_ms(record_property):
    with boot("uml") as vm:
        command = ["python", "-m", "tests.board.crashes", str(TIMES)]
        status, output = vm.run(command, timeout=300.0)
    assert status == 0, output
    *crashes, dumped = [json.loads(line) for line in output.splitlines() if line[:1] == "{"]
    assert len(crashes) == TIMES
    for crash in (*crashes, dumped):
        assert (crash["status"], crash["exit"]) == ("stopped", "139")
        assert "m4: crashed: watchdog" in crash["remarks"]
        assert crash["processor"] == "offline"
    assert not any(crash["dumps"] for crash in crashes)
    assert dumped["dumps"] == ["\x7fELF"]
    milliseconds = sorted(round(1000 * crash["seconds"]) for crash in crashes)
    median = statistics.median(milliseconds)
    figures = f"a crash on {vm.release} was known after {median:g} ms ({milliseconds})"
    record_property("scenarios", figures)
    assert median < 150, figures
