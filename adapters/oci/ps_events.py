"""Reads from /proc which processes a container has, and what these processes use (proc(5))."""

from __future__ import annotations

import sys
import time
from typing import Any

from adapters.linux.process_tree import process_tree, summary
from adapters.oci.render import table
from domain.container import FirmwareContainer, Status
from domain.errors import WrongState
from domain.lifecycle import Lifecycle
from domain.usage import Amount, Usage


def processes(container: FirmwareContainer) -> list[int]:
    """Return the pids of the supervisor and its descendants; none if the container has ended."""
    return process_tree(container.pid) if container.status is not Status.STOPPED else []


def ps_table(pids: list[int]) -> str:
    """Return a table with those columns of `ps -f` that say something about a supervisor."""
    rows = []
    for pid in pids:
        try:
            user, parent, cpu, command = summary(pid)
        except OSError:
            continue  # it has just ended
        time_used = f"{int(cpu) // 60}:{int(cpu) % 60:02}"
        rows.append((str(user), str(pid), str(parent), time_used, command))
    return table(("UID", "PID", "PPID", "TIME", "CMD"), rows)


def statistics(container_id: str, usage: Usage) -> dict[str, Any]:
    """Return one event of type `stats`, as runc prints it: CPU in nanoseconds, memory in bytes."""
    pids = usage.processes
    cpu = {"total": usage.cpu, "user": usage.cpu_user, "kernel": usage.cpu_system}
    periods, throttled_periods, throttled_time = usage.throttled
    throttling = {
        "periods": periods,
        "throttledPeriods": throttled_periods,
        "throttledTime": throttled_time,
    }
    return {
        "type": "stats",
        "id": container_id,
        "data": {
            "cpu": {"usage": cpu, "throttling": throttling},
            "memory": {
                "usage": _entry(usage.memory),
                "swap": _entry(usage.swap),
                "cache": usage.memory_facts.get("cache", usage.memory_facts.get("file", 0)),
                "raw": dict(usage.memory_facts),
            },
            "pids": {"current": pids.now, **({} if pids.limit is None else {"limit": pids.limit})},
        },
    }


def _entry(amount: Amount) -> dict[str, int]:
    found = {"usage": amount.now, "max": amount.peak, "limit": amount.limit}
    known = {name: value for name, value in found.items() if value is not None}
    return {**known, "failcnt": amount.refused}


def follow(lifecycle: Lifecycle, container_id: str, interval: float, *, once: bool) -> None:
    """Print statistics until the container has ended. Raises WrongState if it has already."""
    import json

    usage = lifecycle.usage(container_id)
    while True:
        sys.stdout.write(json.dumps(statistics(container_id, usage)) + "\n")
        sys.stdout.flush()
        if once:
            return
        time.sleep(interval)
        try:
            usage = lifecycle.usage(container_id)
        except WrongState:
            return
