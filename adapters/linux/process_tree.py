"""A process with all below it, and what these use together (proc(5))."""

from __future__ import annotations

import os

from adapters.linux.files import read_all
from adapters.linux.process import stat_fields
from domain.light_types import NamedTuple

_KIB = 1024


def children(pid: int) -> list[int]:
    """Return the children of all threads of a process; none if the process has ended."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            try:
                found += map(int, read_all(f"/proc/{pid}/task/{thread}/children").split())
            except OSError:
                pass  # the thread has ended, or the kernel has no such file
    except OSError:
        pass
    return found


def process_tree(pid: int) -> list[int]:
    """Return the pid and those of all its descendants, parents before their children."""
    found = [pid]
    for each in found:  # which grows meanwhile
        found += children(each)
    return found


class ProcessUsage(NamedTuple):
    """Sums over processes: CPU time in seconds, memory in bytes."""

    processes: int = 0
    user: float = 0
    system: float = 0
    resident: int = 0
    anonymous: int = 0
    file: int = 0
    faults: int = 0
    major_faults: int = 0


def usage_of(pids: list[int]) -> ProcessUsage:
    """Return what the processes use together; those that have ended count for nothing."""
    found = []
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for pid in pids:
        try:
            fields = stat_fields(pid)
            status = read_all(f"/proc/{pid}/status")
        except OSError:
            continue
        sizes = dict(line.split(b":", 1) for line in status.splitlines())
        found.append(
            ProcessUsage(
                processes=1,
                user=int(fields[11]) / tick,
                system=int(fields[12]) / tick,
                resident=int(fields[21]) * page,
                anonymous=_bytes(sizes, b"RssAnon"),
                file=_bytes(sizes, b"RssFile"),
                faults=int(fields[7]),
                major_faults=int(fields[9]),
            )
        )
    return ProcessUsage(*(sum(column) for column in zip(*found, strict=True)))


def _bytes(sizes: dict[bytes, bytes], name: bytes) -> int:
    return int(sizes.get(name, b"0").split()[0]) * _KIB


class ProcessSummary(NamedTuple):
    """What `ps` shows of a process; the CPU time is in seconds."""

    user: int
    parent: int
    cpu: float
    command: str


def summary(pid: int) -> ProcessSummary:
    """Return what `ps` shows of a process. Raises OSError if the process has ended."""
    fields = stat_fields(pid)
    command = read_all(f"/proc/{pid}/cmdline").replace(b"\0", b" ").strip()
    return ProcessSummary(
        user=os.stat(f"/proc/{pid}").st_uid,
        parent=int(fields[1]),
        cpu=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        command=command.decode(errors="replace"),
    )
