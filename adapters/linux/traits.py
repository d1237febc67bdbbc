"""What a copy of a process has from it, and should not or cannot change."""

from __future__ import annotations

import os
from errno import EINVAL, ENOENT

from adapters.linux.files import read_all

_STATUS = (b"Umask", b"Uid", b"Gid", b"Groups", b"Cap", b"NoNewPrivs", b"Seccomp", b"Cpus_allowed:")
_FILES = ("cgroup", "limits", "oom_score_adj", "attr/current")
_ABSENT = (ENOENT, EINVAL)  # this kernel has no such file, or no security module


def traits() -> str:
    """Return as one text what a new process gets from this one, for another process to compare.

    It holds the user, the capabilities, the control groups, the limits, the priority, the
    namespaces, and what else proc(5) tells. Raises OSError.
    """
    status = read_all("/proc/self/status").splitlines()
    found = [line for line in status if line.startswith(_STATUS)]
    for name in _FILES:
        try:
            found.append(read_all(f"/proc/self/{name}"))
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            found.append(b"")
    # The links are magic: they tell of this process, whatever its own directory is.
    namespaces = [os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")]
    root = os.stat("/")
    priority = (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))
    numbers = (root.st_dev, root.st_ino, *priority)
    return "\n".join((os.fsdecode(b"\n".join(found)), *sorted(namespaces), str(numbers)))
