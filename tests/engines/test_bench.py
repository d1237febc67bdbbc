"""Proves that the benchmarks run, so that their figures can be had on any day."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = os.path.join(os.path.dirname(__file__), "../..")
BUDGETS = {"commands": 12, "crash": 0, "engines": 16}


@pytest.mark.skipif(os.geteuid() != 0, reason="container engines need root")
@pytest.mark.parametrize("name", BUDGETS)
def test_a_benchmark_prints_its_figures(releases, name):
    command = [sys.executable, f"bench/{name}.py", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "median" in done.stdout
    if BUDGETS[name]:
        assert f"\n{BUDGETS[name]} budgets, " in done.stdout
