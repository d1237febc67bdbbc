"""What a container uses on the Linux side, in the messages that engines take.

These are metrics of control groups, version 1 or 2 as the host has: engines accept no others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from google.protobuf.message import Message

from adapters.containerd.api import cgroups_v1_pb2 as v1
from adapters.containerd.api import cgroups_v2_pb2 as v2
from domain.usage import Amount, Usage

_NO_LIMIT = (1 << 64) - 1


def metrics(usage: Usage) -> Message:
    """Return the Metrics message that this host's engines expect."""
    return as_v2(usage) if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else as_v1(usage)


def as_v1(usage: Usage) -> Message:
    """Return metrics of control groups version 1: times in nanoseconds."""
    periods, throttled_periods, throttled_time = usage.throttled
    # memory.stat has the names of the message's fields, but for these.
    renamed = {"pgfault": "pg_fault", "pgmajfault": "pg_maj_fault"}
    renamed |= {f"total_{old}": f"total_{new}" for old, new in renamed.items()}
    facts = {renamed.get(name, name): value for name, value in usage.memory_facts.items()}
    memory = v1.MemoryStat(
        **_fields(v1.MemoryStat, facts),
        usage=_entry(usage.memory),
        swap=_entry(usage.swap),
        kernel=v1.MemoryEntry(),
    )
    if "hierarchical_memory_limit" not in facts:
        memory.hierarchical_memory_limit = _NO_LIMIT
    return v1.Metrics(
        pids=v1.PidsStat(current=usage.processes.now, limit=usage.processes.limit or 0),
        cpu=v1.CPUStat(
            usage=v1.CPUUsage(total=usage.cpu, user=usage.cpu_user, kernel=usage.cpu_system),
            throttling=v1.Throttle(  # clients fail where it is absent
                periods=periods, throttled_periods=throttled_periods, throttled_time=throttled_time
            ),
        ),
        memory=memory,
        memory_oom_control=v1.MemoryOomControl(oom_kill=usage.oom_kills),
    )


def _entry(amount: Amount) -> v1.MemoryEntry:
    return v1.MemoryEntry(
        usage=amount.now,
        max=amount.now if amount.peak is None else amount.peak,
        limit=_NO_LIMIT if amount.limit is None else amount.limit,
        failcnt=amount.refused,
    )


def as_v2(usage: Usage) -> Message:
    """Return metrics of control groups version 2: times in microseconds."""
    periods, throttled_periods, throttled_time = usage.throttled
    memory, swap = usage.memory, usage.swap
    return v2.Metrics(
        pids=v2.PidsStat(current=usage.processes.now, limit=usage.processes.limit or 0),
        cpu=v2.CPUStat(
            usage_usec=usage.cpu // 1000,
            user_usec=usage.cpu_user // 1000,
            system_usec=usage.cpu_system // 1000,
            nr_periods=periods,
            nr_throttled=throttled_periods,
            throttled_usec=throttled_time // 1000,
        ),
        memory=v2.MemoryStat(
            **_fields(v2.MemoryStat, usage.memory_facts),
            usage=memory.now,
            max_usage=memory.peak or 0,
            usage_limit=_NO_LIMIT if memory.limit is None else memory.limit,
            swap_usage=swap.now,
            swap_limit=_NO_LIMIT if swap.limit is None else swap.limit,
        ),
        memory_events=v2.MemoryEvents(oom_kill=usage.oom_kills),
    )


def _fields(message: type[Message], facts: Mapping[str, int]) -> dict[str, int]:
    """Return those facts that the message has a field for, and not a message."""
    fields = message.DESCRIPTOR.fields
    return {f.name: facts[f.name] for f in fields if f.name in facts and f.message_type is None}
