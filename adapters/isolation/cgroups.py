"""Control groups of supervisors, version 1 and 2, by the file system alone.

The creator records which groups it is going to make in the container's directory, before it makes
them: so a process that removes the directory can also remove the groups.
"""

from __future__ import annotations

import errno
import os
import time

from adapters.encoding.light_json import dumps, loads
from adapters.isolation.cgroup_limits import settings
from adapters.isolation.hierarchies import Hierarchy, directory_of, hierarchies
from adapters.isolation.refusals import Refusals
from adapters.linux.files import read_all, write_existing, write_whole
from domain.errors import host_fault
from domain.linux_config import LinuxConfig

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = "cgroups"
_ATTEMPTS = 5  # to make a group whose parent other containers remove meanwhile
_GONE = (errno.ENOENT, errno.ENODEV)  # the second where a file of the group is open already


class Group:
    """The control groups of one container, one in each hierarchy.

    `directory` is the container's, by descriptor. What the kernel refuses: see Refusals.
    """

    def __init__(self, linux_config: LinuxConfig, directory: int) -> None:
        self._path = directory_of(linux_config.cgroup)
        self._limits = linux_config.limits
        self._directory = directory
        self._refusals = Refusals()
        self._usable: list[Hierarchy] = []
        self._recorded: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """What the kernel refused, if the caller is not the machine's root."""
        return self._refusals.warnings

    @property
    def usable(self) -> tuple[Hierarchy, ...]:
        """The hierarchies in which the groups were made."""
        return tuple(self._usable)

    def make(self) -> None:
        """Make the groups and set their limits. Raises HostFault."""
        if self._path == "/":
            return
        mounted = hierarchies()
        if not mounted:
            self._refusals.add("find a cgroup file system", OSError(errno.ENOENT, ""))
        self._record(mounted)
        for hierarchy in mounted:
            try:
                self._make(hierarchy)
                self._usable.append(hierarchy)
            except OSError as error:
                self._refusals.add(f"make control group {hierarchy.point}{self._path}", error)
        for each in settings(self._limits, self._usable, self._path):
            try:
                each.write()
            except OSError as error:
                self._refusals.add(f"set {each}", error)

    def _levels(self, hierarchy: Hierarchy) -> Iterator[tuple[str, str]]:
        """Yield each group's parent and path, from the top down to the container's group."""
        path = hierarchy.point
        for part in self._path.strip("/").split("/"):
            yield path, f"{path}/{part}"
            path = f"{path}/{part}"

    def _record(self, mounted: list[Hierarchy]) -> None:
        """Record the groups that are missing there, besides those that are recorded already."""
        paths = [path for hierarchy in mounted for _, path in self._levels(hierarchy)]
        missing = [path for path in paths if not os.path.isdir(path)]
        self._recorded += [path for path in missing if path not in self._recorded]
        write_whole(RECORD, dumps(self._recorded).encode(), self._directory)

    def _make(self, hierarchy: Hierarchy) -> None:
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._make_levels(hierarchy)
                return
            except OSError as error:
                if error.errno not in _GONE or not left:
                    raise
                # The end of another container has removed a parent, which was empty still.
                self._record([hierarchy])

    def _make_levels(self, hierarchy: Hierarchy) -> None:
        for parent, path in self._levels(hierarchy):
            if hierarchy.unified:
                _enable_controllers(parent)
            try:
                os.mkdir(path, 0o755)
            except FileExistsError:
                pass
            if "cpuset" in hierarchy.controllers:
                # The kernel lets no process into a new group before these two are set.
                for name in ("cpuset.cpus", "cpuset.mems"):
                    if not read_all(f"{path}/{name}").strip():
                        write_existing(f"{path}/{name}", read_all(f"{parent}/{name}"))


def _enable_controllers(path: str) -> None:
    """Let the children of a version 2 group use all its controllers that the kernel allows."""
    try:
        available = read_all(f"{path}/cgroup.controllers").split()
        enabled = read_all(f"{path}/cgroup.subtree_control").split()
    except OSError:
        return
    for name in available:
        if name not in enabled:
            try:
                write_existing(f"{path}/cgroup.subtree_control", b"+" + name)
            except OSError:
                pass  # setting a limit of this controller will fail, and say why


def remove_recorded(directory: str, seconds: float) -> None:
    """Remove the groups that were made for the container with this directory, where empty.

    The kernel frees the group of a process some time after the process has ended: it gets that
    many seconds. Raises HostFault if the kernel still refuses to remove a group that is the
    container's alone.
    """
    try:
        paths: list[str] = loads(read_all(f"{directory}/{RECORD}"))
    except (OSError, ValueError):
        return
    points = tuple(f"{hierarchy.point}/" for hierarchy in hierarchies())
    paths = [path for path in paths if path.startswith(points)]
    deadline = time.monotonic() + seconds
    for path in sorted(paths, key=len, reverse=True):
        shared = any(other.startswith(f"{path}/") for other in paths)
        _remove(path, deadline, shared=shared)


def _remove(path: str, deadline: float, *, shared: bool) -> None:
    """Remove one group; a `shared` one may stay, since groups of other containers are in it."""
    while True:
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if shared:
                return
            if time.monotonic() >= deadline:
                raise host_fault(f"cannot remove control group {path}", error) from error
        time.sleep(0.01)
