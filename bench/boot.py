"""Measures how much longer a simulated processor boots because QEMU is confined.

Boots with and without the confinement alternate, each from the start to the firmware's first
output. CPU time is that of this process and of QEMU. As root: `bench/boot.py --rounds 20`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from unittest import mock

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from adapters.sim import qemu_args, spawn  # noqa: E402
from adapters.sim.board_file import load_board  # noqa: E402
from adapters.sim.file_removal import FileRemoval  # noqa: E402
from adapters.sim.processor import SimProcessor  # noqa: E402
from adapters.sim.sim_board import SimBoard  # noqa: E402
from bench.measure import Budgets, Times  # noqa: E402
from domain.annotations import ProcessorOptions  # noqa: E402
from domain.firmware import FirmwareImage  # noqa: E402

FIRMWARE = f"{HERE}/firmware/build/cortex-m3/hello.elf"
CONFINED, FREE = "confined", "free"
BUDGET = 10.0  # milliseconds more


def cpu() -> float:
    """Return the CPU seconds of this process, and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@contextlib.contextmanager
def unconfined() -> Iterator[None]:
    """Leave out all that confines QEMU."""
    with (
        mock.patch.object(spawn, "confine", lambda _: ([], -1)),
        mock.patch.object(spawn, "own_pid_namespace", lambda: lambda: None),
        mock.patch.object(FileRemoval, "prepare", lambda *_: None),
        mock.patch.object(qemu_args, "_SANDBOX", "off"),
    ):
        yield


def image() -> FirmwareImage:
    """Return what is known of the firmware."""
    with open(FIRMWARE, "rb") as file:
        data = file.read()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return FirmwareImage("hello.elf", len(data), digest, FIRMWARE)


def boot(processor: SimProcessor) -> None:
    """Start the firmware, wait for its first output, and stop it: only then its CPU is known."""
    processor.start()
    while not processor.console.read_output():
        processor.state()
    processor.stop()


def main() -> None:
    """Print the times and the budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    times = Times(cpu)
    with tempfile.TemporaryDirectory() as place:
        board = SimBoard(load_board("cortex-m3"), f"{place}/boards")
        for _ in range(rounds):
            for who, how in ((FREE, unconfined), (CONFINED, contextlib.nullcontext)):
                processor = board.open("remoteproc0", ProcessorOptions())
                claim = processor.plan_claim("boot", image())
                processor.load(claim, image())
                with how():
                    times.take(who, "boot", partial(boot, processor))
                processor.release(claim)
    times.report(CONFINED, FREE)
    budgets = Budgets()
    for figure, median in (("ms", times.median), ("ms of CPU", times.median_cpu)):
        longer = median(CONFINED, "boot") - median(FREE, "boot")
        budgets.most(f"QEMU's confinement, {figure} more", longer, BUDGET)
    budgets.report()


if __name__ == "__main__":
    main()
