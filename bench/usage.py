"""Measures the CPU time and memory of the processes of an isolated host."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engines.isolated_host import IsolatedHost


def cpu_seconds(host: IsolatedHost) -> float:
    """Return the CPU seconds of all processes of the isolated host, also ended ones."""
    groups = f"{host.root}/sys/fs/cgroup"
    for path in (f"{groups}/cpuacct/cpuacct.usage", f"{groups}/cpu,cpuacct/cpuacct.usage"):
        with suppress(FileNotFoundError), open(path) as file:
            return int(file.read()) / 1e9
    with open(f"{groups}/cpu.stat") as file:
        return int(dict(line.split() for line in file)["usage_usec"]) / 1e6


def others(host: IsolatedHost, before: Iterable[int]) -> list[int]:
    """Return the pids of processes that were not there before, without those of QEMU."""
    known = set(before)
    found = host.processes().items()
    return [pid for pid, line in found if pid not in known and "qemu-system" not in line]


def memory(pids: Iterable[int]) -> float:
    """Return the MiB of the processes; memory that they share counts once (PSS, proc(5))."""
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError), open(f"/proc/{pid}/smaps_rollup") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / 1024


def idle_cpu(pids: Iterable[int], seconds: float) -> float:
    """Return the CPU milliseconds per second that the processes use in the coming seconds."""
    pids = list(pids)
    before = _run_time(pids)
    time.sleep(seconds)
    return (_run_time(pids) - before) * 1000 / seconds


def _run_time(pids: Iterable[int]) -> float:
    """Return the seconds that all threads of the processes have run (proc(5), schedstat)."""
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    total += int(file.read().split()[0])
    return total / 1e9
