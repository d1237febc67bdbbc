"""A control group of one's own in each hierarchy, shown as if it were the hierarchy's root.

Version 1 hierarchies, or version 2 alone; a version 2 hierarchy beside version 1 is hidden, since
crun refuses the mixture.
"""

from __future__ import annotations

import os
import time

from tests.engines.system import CLONE_NEWCGROUP, MNT_DETACH, check, libc, mount, read, write

ROOT = "/sys/fs/cgroup"


class Cgroups:
    """Call `enter`, then unshare mount and control group namespaces, `mount`, and at last `leave`.

    `leave` needs every other process in the groups to be dead.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._outside = os.open("/proc/self/ns/cgroup", os.O_RDONLY)
        self._options = hierarchies()
        self._groups: dict[str, str] = {}

    def enter(self) -> None:
        """Make the groups and move this process into them."""
        for point, options in self._options.items():
            group = f"{point}/{self._name}"
            if os.path.isdir(group):
                continue  # the second mount point of one hierarchy
            os.mkdir(group)
            # By a descriptor it is reached still when its mount point is hidden.
            self._groups[point] = f"/proc/self/fd/{os.open(point, os.O_PATH)}/{self._name}"
            if options and os.path.exists(f"{group}/cpuset.cpus"):
                for knob in ("cpuset.cpus", "cpuset.mems"):  # empty at first: it may run nowhere
                    write(f"{group}/{knob}", read(f"{point}/{knob}"))
            write(f"{group}/cgroup.procs", "0")

    def mount(self) -> None:
        """Hide the machine's hierarchies behind these groups."""
        check(libc.umount2(ROOT.encode(), MNT_DETACH), f"umount {ROOT}")
        if not any(self._options.values()):
            mount("cgroup2", ROOT, "cgroup2")
            # A group with controllers for its children may hold no process itself.
            os.mkdir(f"{ROOT}/init")
            write(f"{ROOT}/init/cgroup.procs", "0")
            controllers = read(f"{ROOT}/cgroup.controllers").split()
            write(f"{ROOT}/cgroup.subtree_control", " ".join(f"+{c}" for c in controllers))
            return
        mount("tmpfs", ROOT, "tmpfs", data="mode=755")
        for point in self._groups:
            own = f"{ROOT}/{os.path.basename(point)}"
            os.mkdir(own)
            mount("cgroup", own, "cgroup", data=self._options[point])

    def leave(self) -> None:
        """Move this process back to the roots and remove the groups with all below them."""
        # With the mount option nsdelegate no process may leave its namespace's root.
        check(libc.setns(self._outside, CLONE_NEWCGROUP), "setns cgroup")
        for group in self._groups.values():
            write(f"{os.path.dirname(group)}/cgroup.procs", "0")
            for folder, _, _ in os.walk(group, topdown=False):
                remove(folder)


def hierarchies() -> dict[str, str]:
    """Options for mount(2) by mount point: of version 1 hierarchies, or "" of version 2 alone."""
    names = {line.split(":")[1] for line in read("/proc/self/cgroup").splitlines()} - {""}
    found = {}
    for line in read("/proc/mounts").splitlines():
        _, point, fstype, given, *_ = line.split()
        if fstype == "cgroup":
            words = set(given.split(","))
            found[point] = next(name for name in names if set(name.split(",")) <= words)
    return found or {ROOT: ""}


def remove(group: str) -> None:
    """Remove a group; the kernel lets go of a dead process's group a little later."""
    for _ in range(100):
        try:
            return os.rmdir(group)
        except OSError:
            time.sleep(0.01)
    return os.rmdir(group)
