"""Reads from /proc which processes a container has, and what these processes use (proc(5))."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from adapters.oci.render import table
from domain.container import FirmwareContainer, Status
from domain.errors import WrongState
from domain.lifecycle import Lifecycle

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def processes(container: FirmwareContainer) -> list[int]:
    """Return the pids of the supervisor and its descendants; none if the container has ended."""
    found, todo = [], [container.pid] if container.status is not Status.STOPPED else []
    while todo:
        pid = todo.pop(0)
        found.append(pid)
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                todo += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
        except OSError:
            continue  # the process has just ended
    return found


def ps_table(pids: list[int]) -> str:
    """Return a table with those columns of `ps -f` that say something about a supervisor."""
    rows = []
    for pid in pids:
        try:
            fields = _stat(pid)
            owner = str(os.stat(f"/proc/{pid}").st_uid)
            words = _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
        except OSError:
            continue
        seconds = int(_cpu(fields))
        rows.append((owner, str(pid), fields[1], f"{seconds // 60}:{seconds % 60:02}", words))
    return table(("UID", "PID", "PPID", "TIME", "CMD"), rows)


def statistics(container: FirmwareContainer) -> dict[str, Any]:
    """Return one event of type `stats`, as runc prints it: CPU in nanoseconds, memory in bytes."""
    pids = processes(container)
    cpu, memory = 0.0, 0
    for pid in pids:
        try:
            fields = _stat(pid)
        except OSError:
            continue
        cpu += _cpu(fields)
        memory += int(fields[21]) * _PAGE
    return {
        "type": "stats",
        "id": container.id,
        "data": {
            "cpu": {"usage": {"total": int(cpu * 1e9)}},
            "memory": {"usage": {"usage": memory}},
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


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third, the state, on."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _cpu(fields: list[str]) -> float:
    """Return the seconds of CPU time, user and system."""
    return (int(fields[11]) + int(fields[12])) / _TICKS
