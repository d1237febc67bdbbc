"""Control groups of supervisors, version 1 and 2, by the file system alone.

What is made is on record in the container's directory before it is made, so that whoever removes
the directory knows what to remove.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from adapters.linux.files import read_all, write_whole
from adapters.linux.process import privileged
from domain.errors import InvalidRequest, host_fault, reason
from domain.linux_config import LinuxConfig

RECORD = "cgroups"
_PERIOD = 100_000  # microseconds of a CPU quota whose period is not told


class Hierarchy(NamedTuple):
    """A mounted hierarchy; version 2 has no `controllers` here, they are in a file."""

    point: str
    controllers: frozenset[str]
    unified: bool


# Version 1's files by the bundle's names, and the controller that has them.
_V1 = {
    "memory.limit": ("memory", "memory.limit_in_bytes"),
    "memory.reservation": ("memory", "memory.soft_limit_in_bytes"),
    "memory.swap": ("memory", "memory.memsw.limit_in_bytes"),
    "cpu.shares": ("cpu", "cpu.shares"),
    "cpu.period": ("cpu", "cpu.cfs_period_us"),
    "cpu.quota": ("cpu", "cpu.cfs_quota_us"),
    "cpu.cpus": ("cpuset", "cpuset.cpus"),
    "cpu.mems": ("cpuset", "cpuset.mems"),
    "pids.limit": ("pids", "pids.max"),
}


def hierarchies() -> list[Hierarchy]:
    """Return what is mounted, each hierarchy once."""
    found: dict[str, Hierarchy] = {}
    for line in read_all("/proc/self/mountinfo").decode(errors="replace").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split()[:3]
        if kind in ("cgroup", "cgroup2"):
            point, device = left.split()[4], left.split()[2]
            names = frozenset(options.split(",")) if kind == "cgroup" else frozenset()
            found.setdefault(device, Hierarchy(point, names, kind == "cgroup2"))
    return list(found.values())


def directory_of(cgroup: str) -> str:
    """Return the path below a hierarchy for linux.cgroupsPath, of either spelling.

    systemd's `a-b.slice:prefix:name` is `/a.slice/a-b.slice/prefix-name.scope`.
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

    What cannot be made is an error for root, else one of the `warnings`.
    """

    def __init__(self, linux_config: LinuxConfig, directory: int) -> None:
        self._path = directory_of(linux_config.cgroup)
        self._limits = linux_config.limits
        self._directory = directory
        self._strict = privileged()
        self._usable: list[Hierarchy] = []
        self.warnings: list[str] = []

    def make(self) -> None:
        """Make the groups and set their limits."""
        if self._path == "/":
            return
        mounted = hierarchies()
        if not mounted:
            self._refused("find a cgroup file system", OSError(2, ""))
        paths = [path for each in mounted for path in self._missing(each)]
        write_whole(RECORD, json.dumps(paths).encode(), self._directory)
        for each in mounted:
            try:
                self._make(each)
                self._usable.append(each)
            except OSError as error:
                self._refused(f"make control group {each.point}{self._path}", error)
        self._limit()

    def _missing(self, each: Hierarchy) -> Iterator[str]:
        path = each.point
        for part in self._path.strip("/").split("/"):
            path = f"{path}/{part}"
            if not os.path.isdir(path):
                yield path

    def _make(self, each: Hierarchy) -> None:
        path = each.point
        for part in self._path.strip("/").split("/"):
            if each.unified:
                _delegate(path)
            above, path = path, f"{path}/{part}"
            try:
                os.mkdir(path, 0o755)
            except FileExistsError:
                pass
            if "cpuset" in each.controllers:
                for knob in ("cpuset.cpus", "cpuset.mems"):  # empty in a new one: nothing runs
                    if not read_all(f"{path}/{knob}").strip():
                        _write(f"{path}/{knob}", read_all(f"{above}/{knob}").decode())

    def _limit(self) -> None:
        for name, file, value in self._settings():
            try:
                _write(file, value)
            except OSError as error:
                self._refused(f"set {name} to {value} in {file}", error)

    def _settings(self) -> Iterator[tuple[str, str, str]]:
        unified = next((each for each in self._usable if each.unified), None)
        split = [each for each in self._usable if not each.unified]
        limits = self._limits
        if unified and not split:
            for name, (file, value) in _v2(limits).items():
                yield name, f"{unified.point}{self._path}/{file}", value
            return
        for name, number in limits.items():
            controller, file = _V1[name]
            point = next((e.point for e in split if controller in e.controllers), "")
            if not point:
                self._refused(f"set {name}: no {controller} controller is mounted", OSError(2, ""))
                continue
            yield name, f"{point}{self._path}/{file}", str(number)

    def enter(self, pid: int) -> None:
        """Move a process into the groups."""
        for each in self._usable:
            try:
                _write(f"{each.point}{self._path}/cgroup.procs", str(pid))
            except OSError as error:
                self._refused(f"enter control group {each.point}{self._path}", error)

    def _refused(self, what: str, error: OSError) -> None:
        if self._strict:
            raise host_fault(f"cannot {what}", error) from error
        self.warnings.append(f"cannot {what}: {reason(error)}")


def _v2(limits: Mapping[str, int | str]) -> dict[str, tuple[str, str]]:
    """Return version 2's files and values (Documentation/admin-guide/cgroup-v2.rst)."""

    def of(name: str) -> str:
        return "max" if limits[name] == -1 else str(limits[name])

    files = {
        "memory.limit": "memory.max",
        "memory.reservation": "memory.low",
        "cpu.cpus": "cpuset.cpus",
        "cpu.mems": "cpuset.mems",
        "pids.limit": "pids.max",
    }
    found = {name: (file, of(name)) for name, file in files.items() if name in limits}
    if "memory.swap" in limits:
        # Version 1 counts memory and swap together, version 2 swap alone.
        swap, memory = int(limits["memory.swap"]), int(limits.get("memory.limit", 0))
        text = "max" if swap < 0 else str(max(0, swap - memory))
        found["memory.swap"] = ("memory.swap.max", text)
    if "cpu.shares" in limits:
        # 2..262144 onto 1..10000, as every runtime has it.
        weight = 1 + (max(2, min(262144, int(limits["cpu.shares"]))) - 2) * 9999 // 262142
        found["cpu.shares"] = ("cpu.weight", str(weight))
    if "cpu.quota" in limits or "cpu.period" in limits:
        quota = int(limits.get("cpu.quota", -1))
        text = "max" if quota <= 0 else str(quota)
        found["cpu.quota"] = ("cpu.max", f"{text} {limits.get('cpu.period', _PERIOD)}")
    return found


def _delegate(path: str) -> None:
    """Let the children of a version 2 group have all controllers that it has, as far as may be."""
    try:
        have = read_all(f"{path}/cgroup.controllers").decode().split()
        given = read_all(f"{path}/cgroup.subtree_control").decode().split()
    except OSError:
        return
    for name in have:
        if name not in given:
            try:
                _write(f"{path}/cgroup.subtree_control", f"+{name}")
            except OSError:
                pass  # a limit that needs it will say so


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def remove_recorded(directory: str, seconds: float) -> None:
    """Remove the groups that were made for the container whose directory this is, where empty.

    The kernel lets go of a dead process's group a little later: it gets that many seconds.
    Raises HostFault if it still holds one that is the container's alone.
    """
    try:
        paths: list[str] = json.loads(read_all(f"{directory}/{RECORD}"))
    except (OSError, ValueError):
        return
    points = tuple(f"{each.point}/" for each in hierarchies())
    paths = [path for path in paths if path.startswith(points)]
    end = time.monotonic() + seconds
    leaves = {path for path in paths if not any(p.startswith(f"{path}/") for p in paths)}
    for path in sorted(paths, key=len, reverse=True):
        while True:
            try:
                os.rmdir(path)
            except FileNotFoundError:
                pass
            except OSError as error:
                if path not in leaves:
                    break  # others are in it
                if time.monotonic() < end:
                    time.sleep(0.01)
                    continue
                raise host_fault(f"cannot remove control group {path}", error) from error
            break
