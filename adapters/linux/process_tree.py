"""A process with all below it, and what these use together (proc(5))."""

from __future__ import annotations

import os

from adapters.linux.files import read_all
from adapters.linux.process import stat_fields
from domain.light_types import NamedTuple
from domain.usage import Amount, Usage

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


def usage_of(pids: list[int]) -> Usage:
    """Return what the processes use together; those that have ended count for nothing.

    Memory is that of the processes alone: what they share is counted once for each.
    """
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    processes = user = system = anonymous = file = faults = major_faults = 0
    for pid in pids:
        try:
            fields = stat_fields(pid)
            status = read_all(f"/proc/{pid}/status")
        except OSError:
            continue
        sizes = dict(line.split(b":", 1) for line in status.splitlines())
        processes += 1
        user += int(fields[11]) * tick
        system += int(fields[12]) * tick
        anonymous += _bytes(sizes, b"RssAnon")
        file += _bytes(sizes, b"RssFile") + _bytes(sizes, b"RssShmem")
        faults += int(fields[7])
        major_faults += int(fields[9])
    # By the names of both versions of control groups.
    facts = {"anon": anonymous, "file": file, "rss": anonymous, "total_rss": anonymous}
    facts |= {"cache": file, "pgfault": faults, "pgmajfault": major_faults}
    return Usage(
        processes=Amount(processes),
        cpu=user + system,
        cpu_user=user,
        cpu_system=system,
        memory=Amount(anonymous + file),
        memory_facts=facts,
    )


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
