"""The control groups of a container's processes, as the kernel tells them (version 1)."""

from __future__ import annotations

import subprocess
import sys

# Enters the group of a process, and takes memory until the kernel kills one of the group.
_HOG = """
import sys
with open(sys.argv[1] + "/cgroup.procs", "w") as group:
    group.write("0")
taken = []
while True:
    taken.append(b"x" * (1 << 20))
"""


def group(pid: int, controller: str) -> str:
    """The directory of the process's group."""
    with open(f"/proc/{pid}/cgroup") as file:
        paths = dict(line.strip().split(":")[1:] for line in file)
    return f"/sys/fs/cgroup/{controller}{paths[controller]}"


def limit(pid: int, controller: str, name: str) -> str:
    """The text in a file of the process's group."""
    with open(f"{group(pid, controller)}/{name}") as found:
        return found.read().strip()


def run_out_of_memory(victim: int) -> None:
    """Have the kernel kill the process for want of memory, before others of its group."""
    with open(f"/proc/{victim}/oom_score_adj", "w") as score:
        score.write("1000")
    hog = subprocess.Popen([sys.executable, "-c", _HOG, group(victim, "memory")])
    hog.wait(30)
