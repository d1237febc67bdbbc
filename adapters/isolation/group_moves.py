"""Moves a process into the control groups of its container, without waiting where that can be.

A move waits for a grace period of RCU, some 10 ms, unless another was made just before
(kernel/cgroup/cgroup.c, cgroup_attach_lock; kernel/rcu/sync.c, rcu_sync_enter). Two kinds of
move do not wait: a process with one thread moves itself, which only version 1 has (`tasks`;
Linux 5.5); or the move was expected, so that the kernel was made ready.
"""

from __future__ import annotations

import os
from _thread import start_new_thread

from adapters.isolation.hierarchies import Hierarchy, directory_of, hierarchies
from adapters.isolation.refusals import Refusals
from adapters.linux.files import read_all, write_existing
from domain.errors import RemoteprocError

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterable


def enter_groups(usable: Iterable[Hierarchy], cgroup: str) -> list[str]:
    """Move this process, which has one thread, into the groups of linux.cgroupsPath.

    Returns what the kernel refused. Raises HostFault; see Refusals.
    """
    refusals, path = Refusals(), directory_of(cgroup)
    for hierarchy in usable:
        group = hierarchy.point + path
        try:
            write_existing(f"{group}/{'cgroup.procs' if hierarchy.unified else 'tasks'}", b"0")
        except OSError as error:
            refusals.add(f"enter control group {group}", error)
    return refusals.warnings


def version_2_mount() -> str:
    """Return where version 2 is mounted; "" if it is not, or if nobody knows."""
    try:
        return next((each.point for each in hierarchies() if each.unified), "")
    except RemoteprocError:
        return ""


def expect_move(point: str) -> None:
    """Let a thread make the kernel ready for a move where version 2 is mounted at `point`.

    Failure only means that the move waits.
    """
    try:
        start_new_thread(stay, (point,))
    except RuntimeError:
        pass  # as where there may be no more threads


def stay(point: str) -> None:
    """Move this process to the version 2 group where it is, so that the kernel is made ready."""
    pid = b"%d" % os.getpid()
    try:
        path = f"{point}{_own_group()}/cgroup.procs"
        # A mount may show groups at other paths than /proc does: never move elsewhere.
        if pid in read_all(path).split():
            write_existing(path, pid)
    except OSError:
        pass


def _own_group() -> str:
    """Return the path of this process's version 2 group (cgroups(7), /proc/PID/cgroup)."""
    lines = os.fsdecode(read_all("/proc/self/cgroup")).splitlines()
    return "".join(line[3:].rstrip("/") for line in lines if line.startswith("0::"))
