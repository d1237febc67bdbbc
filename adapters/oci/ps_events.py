"""Reads from /proc which processes a container has, and what these processes use (proc(5))."""

from __future__ import annotations

import sys
import time
from typing import Any

from adapters.linux.process_tree import process_tree, summary, usage_of
from adapters.oci.render import table
from domain.container import FirmwareContainer, Status
from domain.errors import WrongState
from domain.lifecycle import Lifecycle


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


def statistics(container: FirmwareContainer) -> dict[str, Any]:
    """Return one event of type `stats`, as runc prints it: CPU in nanoseconds, memory in bytes."""
    pids = processes(container)
    usage = usage_of(pids)
    return {
        "type": "stats",
        "id": container.id,
        "data": {
            "cpu": {"usage": {"total": int((usage.user + usage.system) * 1e9)}},
            "memory": {"usage": {"usage": usage.resident}},
            "pids": {"current": len(pids)},
        },
    }


def follow(lifecycle: Lifecycle, container_id: str, interval: float, *, once: bool) -> None:
    """Print statistics until the container has ended. Raises WrongState if it has already."""
    import json

    container = lifecycle.state(container_id)
    if container.exit is not None:
        raise WrongState(f"container {container_id} has ended: there are no events any more")
    while True:
        sys.stdout.write(json.dumps(statistics(container)) + "\n")
        sys.stdout.flush()
        if once:
            return
        time.sleep(interval)
        container = lifecycle.state(container_id)
        if container.exit is not None:
            return
