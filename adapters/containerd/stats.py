"""What a container uses on the Linux side: its supervisor and the supervisor's descendants.

The result is metrics of control groups, version 1 or 2 as the host has: engines accept no others.
"""

from __future__ import annotations

import os

from google.protobuf.message import Message

from adapters.containerd.api import cgroups_v1_pb2 as v1
from adapters.containerd.api import cgroups_v2_pb2 as v2
from adapters.linux.process_tree import ProcessUsage, usage_of

_NO_LIMIT = (1 << 64) - 1


def measure(pids: list[int]) -> Message:
    """Return the Metrics message that this host's engines expect."""
    usage = usage_of(pids)
    return as_v2(usage) if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else as_v1(usage)


def as_v1(usage: ProcessUsage) -> Message:
    """Return metrics of control groups version 1: times in nanoseconds."""
    user, system = int(usage.user * 1e9), int(usage.system * 1e9)
    memory = usage.anonymous + usage.file
    return v1.Metrics(
        pids=v1.PidsStat(current=usage.processes),
        cpu=v1.CPUStat(
            usage=v1.CPUUsage(total=user + system, user=user, kernel=system),
            throttling=v1.Throttle(),  # clients fail where it is absent
        ),
        memory=v1.MemoryStat(
            cache=usage.file,
            rss=usage.anonymous,
            total_rss=usage.anonymous,
            pg_fault=usage.faults,
            pg_maj_fault=usage.major_faults,
            total_pg_fault=usage.faults,
            total_pg_maj_fault=usage.major_faults,
            hierarchical_memory_limit=_NO_LIMIT,
            usage=v1.MemoryEntry(usage=memory, max=memory, limit=_NO_LIMIT),
            swap=v1.MemoryEntry(),
            kernel=v1.MemoryEntry(),
        ),
        memory_oom_control=v1.MemoryOomControl(),
    )


def as_v2(usage: ProcessUsage) -> Message:
    """Return metrics of control groups version 2: times in microseconds."""
    user, system = int(usage.user * 1e6), int(usage.system * 1e6)
    return v2.Metrics(
        pids=v2.PidsStat(current=usage.processes),
        cpu=v2.CPUStat(usage_usec=user + system, user_usec=user, system_usec=system),
        memory=v2.MemoryStat(
            anon=usage.anonymous,
            file=usage.file,
            active_file=usage.file,
            pgfault=usage.faults,
            pgmajfault=usage.major_faults,
            usage=usage.anonymous + usage.file,
            usage_limit=_NO_LIMIT,
        ),
        memory_events=v2.MemoryEvents(),
    )
