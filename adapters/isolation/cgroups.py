"""Control groups of supervisors, version 1 and 2, by the file system alone.

The creator records which groups it is going to make in the container's directory, before it makes
them: so a process that removes the directory can also remove the groups.
"""

from __future__ import annotations

import errno
import json
import os
import time

from adapters.isolation.cgroup_limits import V1_FILES, v2_settings
from adapters.isolation.refusals import Refusals
from adapters.linux.files import read_all, write_existing, write_whole
from adapters.linux.mountinfo import mounts
from domain.errors import InvalidRequest, host_fault
from domain.light_types import NamedTuple
from domain.linux_config import LinuxConfig

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = "cgroups"


class Hierarchy(NamedTuple):
    """A mounted hierarchy. Version 2 has its `controllers` in a file, so here it has none."""

    point: str
    controllers: frozenset[str]
    unified: bool  # version 2


def hierarchies() -> list[Hierarchy]:
    """Return the mounted hierarchies; one that is mounted twice is listed once."""
    found: dict[str, Hierarchy] = {}
    for mount in mounts():
        if mount.kind in ("cgroup", "cgroup2"):
            unified = mount.kind == "cgroup2"
            controllers = frozenset() if unified else frozenset(mount.options.split(","))
            found.setdefault(mount.device, Hierarchy(mount.point, controllers, unified))
    return list(found.values())


def directory_of(cgroup: str) -> str:
    """Return the directory below a hierarchy for linux.cgroupsPath, which has two forms.

    A path is itself. systemd's form `a-b.slice:prefix:name` means
    `/a.slice/a-b.slice/prefix-name.scope`.
    """
    parts = cgroup.split(":")
    if len(parts) == 3:
        slice_, prefix, name = parts
        words = slice_.removesuffix(".slice").split("-") if slice_ != "-.slice" else []
        levels = [f"{'-'.join(words[: n + 1])}.slice" for n in range(len(words)) if any(words)]
        leaf = name if name.endswith(".slice") else f"{prefix}-{name}.scope".lstrip("-")
        cgroup = "/".join([*levels, leaf])
    elif len(parts) != 1:
        raise InvalidRequest(
            f"linux.cgroupsPath {cgroup!r} is no path", hint="systemd's form is slice:prefix:name"
        )
    if ".." in cgroup.split("/"):
        raise InvalidRequest(f"linux.cgroupsPath {cgroup!r} must not lead upwards")
    return "/" + "/".join(part for part in cgroup.split("/") if part not in ("", "."))


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

    @property
    def warnings(self) -> list[str]:
        """What the kernel refused, if the caller is not the machine's root."""
        return self._refusals.warnings

    def make(self) -> None:
        """Make the groups and set their limits. Raises HostFault."""
        if self._path == "/":
            return
        mounted = hierarchies()
        if not mounted:
            self._refusals.add("find a cgroup file system", OSError(errno.ENOENT, ""))
        paths = [path for hierarchy in mounted for path in self._missing(hierarchy)]
        write_whole(RECORD, json.dumps(paths).encode(), self._directory)
        for hierarchy in mounted:
            try:
                self._make(hierarchy)
                self._usable.append(hierarchy)
            except OSError as error:
                self._refusals.add(f"make control group {hierarchy.point}{self._path}", error)
        for name, file, value in self._settings():
            try:
                write_existing(file, value.encode())
            except OSError as error:
                self._refusals.add(f"set {name} to {value} in {file}", error)

    def _levels(self, hierarchy: Hierarchy) -> Iterator[tuple[str, str]]:
        """Yield each group's parent and path, from the top down to the container's group."""
        path = hierarchy.point
        for part in self._path.strip("/").split("/"):
            yield path, f"{path}/{part}"
            path = f"{path}/{part}"

    def _missing(self, hierarchy: Hierarchy) -> list[str]:
        return [path for _, path in self._levels(hierarchy) if not os.path.isdir(path)]

    def _make(self, hierarchy: Hierarchy) -> None:
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

    def _settings(self) -> Iterator[tuple[str, str, str]]:
        """Yield each limit's name, file and value."""
        unified = next((each for each in self._usable if each.unified), None)
        split = [each for each in self._usable if not each.unified]
        limits = self._limits
        if unified and not split:
            for name, (file, value) in v2_settings(limits).items():
                yield name, f"{unified.point}{self._path}/{file}", value
            return
        for name, number in limits.items():
            controller, file = V1_FILES[name]
            point = next((each.point for each in split if controller in each.controllers), "")
            if not point:
                what = f"set {name}: no {controller} controller is mounted"
                self._refusals.add(what, OSError(errno.ENOENT, ""))
                continue
            yield name, f"{point}{self._path}/{file}", str(number)

    def enter(self, pid: int) -> None:
        """Move a process into the groups. Raises HostFault."""
        for hierarchy in self._usable:
            group = f"{hierarchy.point}{self._path}"
            try:
                write_existing(f"{group}/cgroup.procs", b"%d" % pid)
            except OSError as error:
                self._refusals.add(f"enter control group {group}", error)


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
        paths: list[str] = json.loads(read_all(f"{directory}/{RECORD}"))
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
