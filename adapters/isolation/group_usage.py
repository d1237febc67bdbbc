"""Reads what a control group uses, and which of its limits were hit.

Sources: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst of Linux.
"""

from __future__ import annotations

import os
from errno import ENODEV, ENOENT, ENOTDIR, EOPNOTSUPP

from adapters.isolation.hierarchies import Hierarchy, directory_of, hierarchies
from adapters.linux.files import read_all
from domain.errors import host_fault
from domain.usage import Amount, Usage, bytes_for_people

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The group, or the controller's file in it, has gone; a kernel may have a file and not its feature.
_ABSENT = (ENOENT, ENOTDIR, ENODEV, EOPNOTSUPP)
_UNLIMITED = 1 << 62  # what version 1 shows where there is no limit is a little below 1 << 63


class GroupFiles:
    """The files of one control group, by controller, in whichever hierarchy has that."""

    def __init__(self, cgroup: str, known: Sequence[Hierarchy] | None = None) -> None:
        """Find the group of linux.cgroupsPath; `found` tells whether it exists.

        `known` are the mounted hierarchies, if the caller knows them.
        """
        path = directory_of(cgroup) if cgroup else "/"
        known = hierarchies() if known is None else known
        mounted = [each for each in known if os.path.isdir(each.point + path)]
        split = [each for each in mounted if not each.unified]
        self.unified = not split
        self.found = bool(mounted) and path != "/"
        self._all = next((each.point + path for each in mounted if each.unified), "")
        self._by_controller = {
            controller: each.point + path for each in split for controller in each.controllers
        }

    def _text(self, controller: str, name: str) -> str:
        """Return a file of the group, "" if there is none. Raises HostFault."""
        where = self._all if self.unified else self._by_controller.get(controller, "")
        try:
            return read_all(f"{where}/{name}").decode() if where else ""
        except OSError as error:
            if error.errno in _ABSENT:
                return ""
            raise host_fault(f"cannot read {where}/{name}", error) from error

    def number(self, controller: str, name: str) -> int | None:
        """Return the number in a file; None if there is no such file, or it says `max`."""
        text = self._text(controller, name).strip()
        return int(text) if text.isdigit() else None

    def facts(self, controller: str, name: str) -> dict[str, int]:
        """Return a file of lines that are a name and a number each."""
        lines = (line.split() for line in self._text(controller, name).splitlines())
        return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}


def usage_of_group(files: GroupFiles) -> Usage:
    """Return what the processes in the group use."""
    pids = Amount(files.number("pids", "pids.current") or 0, None, files.number("pids", "pids.max"))
    usage = (_usage_v2 if files.unified else _usage_v1)(files)
    return usage._replace(processes=pids, oom_kills=_oom_kills(files))


def _usage_v1(files: GroupFiles) -> Usage:
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    times, throttled = files.facts("cpuacct", "cpuacct.stat"), files.facts("cpu", "cpu.stat")

    def amount(kind: str) -> Amount:
        limit = files.number("memory", f"memory.{kind}limit_in_bytes")
        return Amount(
            files.number("memory", f"memory.{kind}usage_in_bytes") or 0,
            files.number("memory", f"memory.{kind}max_usage_in_bytes"),
            limit if limit is not None and limit < _UNLIMITED else None,
            files.number("memory", f"memory.{kind}failcnt") or 0,
        )

    return Usage(
        cpu=files.number("cpuacct", "cpuacct.usage") or 0,
        cpu_user=times.get("user", 0) * tick,
        cpu_system=times.get("system", 0) * tick,
        throttled=_throttled(throttled, "throttled_time", 1),
        memory=amount(""),
        swap=amount("memsw."),
        memory_facts=files.facts("memory", "memory.stat"),
    )


def _usage_v2(files: GroupFiles) -> Usage:
    times = files.facts("cpu", "cpu.stat")

    def amount(kind: str) -> Amount:
        current, peak, most = (
            files.number("memory", f"memory.{kind}{name}") for name in ("current", "peak", "max")
        )
        return Amount(current or 0, peak, most)

    return Usage(
        cpu=times.get("usage_usec", 0) * 1000,
        cpu_user=times.get("user_usec", 0) * 1000,
        cpu_system=times.get("system_usec", 0) * 1000,
        throttled=_throttled(times, "throttled_usec", 1000),
        memory=amount(""),
        swap=amount("swap."),
        memory_facts=files.facts("memory", "memory.stat"),
    )


def _throttled(facts: Mapping[str, int], time: str, unit: int) -> tuple[int, int, int]:
    return facts.get("nr_periods", 0), facts.get("nr_throttled", 0), facts.get(time, 0) * unit


def _oom_kills(files: GroupFiles) -> int:
    name = "memory.events" if files.unified else "memory.oom_control"
    return files.facts("memory", name).get("oom_kill", 0)


def limit_hit(
    cgroup: str, mounted: Sequence[Hierarchy] | None = None, *, memory_only: bool = False
) -> str:
    """Answer adapters.isolation.limit_hit.LimitHit. Raises HostFault."""
    files = GroupFiles(cgroup, mounted)
    if not files.found:
        return ""
    if _oom_kills(files):
        limit = (_usage_v2 if files.unified else _usage_v1)(files).memory.limit
        known = f", the container's limit is {bytes_for_people(limit)}" if limit else ""
        return f"the kernel killed it: out of memory{known}"
    if not memory_only and files.facts("pids", "pids.events").get("max", 0):
        most = files.number("pids", "pids.max")
        return f"the container's limit of {most} processes is too small"
    return ""
