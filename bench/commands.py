"""Measures each command and the bare start of Python, in alternation in the same run.

The processor executes nothing and starts at once, so the times are the runtime's own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = f"{HERE}/.venv/bin"
FIRMWARE = f"{HERE}/firmware/build/cortex-m3/hello.elf"
BUDGETS = {"create + start": 12.0, "state": 4.0, "kill": 4.0, "delete": 4.0, "list": 4.0}


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that the work takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def command(*words: str) -> Callable[[], object]:
    """Return a function that runs a program and drops its output."""
    return lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def measure(rounds: int, place: str, configured: bool) -> dict[str, list[float]]:
    """Run whole lifecycles; return the times of each command and of the bare interpreter."""
    with open(f"{place}/config.yaml", "w", encoding="utf-8") as file:
        file.write("backend: sim\nboard: idle\nrun-directory: run\n")
    config = ["--config", f"{place}/config.yaml"]
    runtime = [f"{BIN}/remoteproc-runtime", *config, "--root", f"{place}/state"]
    # Most boards have no configuration file. Only the creation needs one here, for the simulation.
    plain = runtime if configured else [runtime[0], "--root", f"{place}/state"]
    os.makedirs(f"{place}/bundle/rootfs")
    shutil.copy(FIRMWARE, f"{place}/bundle/rootfs/hello.elf")
    command(*runtime, "spec", "--bundle", f"{place}/bundle", "--processor", "idle-0")()
    times: dict[str, list[float]] = {}

    def record(name: str, work: Callable[[], object]) -> None:
        times.setdefault(name, []).append(timed(work))

    for number in range(rounds):
        name = f"bench{number}"
        record("bare interpreter", command(f"{BIN}/python3", "-I", "-c", "pass"))
        record("create", command(*runtime, "create", "--bundle", f"{place}/bundle", name))
        record("start", command(*plain, "start", name))
        record("state", command(*plain, "state", name))
        record("list", command(*plain, "list"))
        record("kill", command(*plain, "kill", name))
        record("delete", command(*plain, "delete", name))
    return times


def report(times: dict[str, list[float]]) -> None:
    """Print medians, ratios and budgets."""
    bare = statistics.median(times["bare interpreter"])
    rows = {name: statistics.median(values) for name, values in times.items()}
    rows["create + start"] = rows["create"] + rows["start"]
    print(f"{'':24}{'median ms':>10}{'ratio':>8}{'budget':>8}")
    for name, value in rows.items():
        budget = f"{BUDGETS[name]:8.1f}" if name in BUDGETS else ""
        print(f"{name:24}{value:10.1f}{value / bare:8.1f}{budget}")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    for configured in (False, True):
        with tempfile.TemporaryDirectory() as place:
            print("with a configuration file:" if configured else "without one, as on most boards:")
            report(measure(rounds, place, configured))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
