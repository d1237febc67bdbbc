"""Fuzzes targets in processes of their own, as many at a time as there are processors.

New inputs that reach new code are kept in .fuzz/corpus/, so that the next run goes on from there;
an input that shows a defect in .fuzz/found/.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
_COUNT = re.compile(r"stat::number_of_executed_units: +(\d+)")
_FOUND = re.compile(r"Test unit written to (\S+)")
_ERROR = re.compile(r" === Uncaught Python exception: ===\n(.*?)\n\n", re.DOTALL)


class Result(NamedTuple):
    """How many inputs a target was given; `found` is a file with one that shows a defect, or ``."""

    target: str
    inputs: int
    found: str
    error: str

    def __str__(self) -> str:
        text = f"{self.target}: {self.inputs} inputs"
        return f"{text}, a defect: {self.found}\n{self.error}" if self.error else text


def fuzz(name: str, seconds: float, directory: Path) -> Result:
    """Fuzz one target until a defect is found or the time has passed."""
    work, found = directory / "corpus" / name, directory / "found"
    for path in (work, found):
        path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm") as scratch:  # in memory
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.fuzz", name),
                *(f"-max_total_time={int(seconds)}", f"-artifact_prefix={found}/{name}-"),
                *("-print_final_stats=1", work, TARGETS[name].corpus),
            ],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    output = done.stdout.decode(errors="replace")
    inputs = _COUNT.search(output)
    if done.returncode == 0 and inputs:
        return Result(name, int(inputs[1]), "", "")
    written, error = _FOUND.search(output), _ERROR.search(output)
    return Result(
        name,
        int(inputs[1]) if inputs else 0,
        written[1] if written else "",
        error[1] if error and written else output[-4000:],
    )


def main() -> int:
    """Fuzz the targets that the arguments name; return the exit code: 1 if a defect was found."""
    parser = argparse.ArgumentParser(prog="script/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target (default: 1)")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(TARGETS)}")
    if importlib.util.find_spec("atheris") is None:
        parser.error("Atheris has no wheel for this Python on this machine")
    status = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(
            lambda name: fuzz(name, 60 * options.minutes, ROOT / ".fuzz"),
            options.targets or TARGETS,
        ):
            print(result, flush=True)
            status |= bool(result.error)
    return status


if __name__ == "__main__":
    sys.exit(main())
