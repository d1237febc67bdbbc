"""The files of control groups in which limits are set, and their values."""

from __future__ import annotations

import errno
import os

from adapters.linux.files import write_existing
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from adapters.isolation.hierarchies import Hierarchy

_PERIOD = 100_000  # microseconds: the kernel's period of a CPU quota, where the bundle has none

# Version 1, by the bundle's names: the controller and its file.
_V1_FILES = {
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

# Version 2, by the same names, where the value is the bundle's own.
_V2_FILES = {
    "memory.limit": "memory.max",
    "memory.reservation": "memory.low",
    "cpu.cpus": "cpuset.cpus",
    "cpu.mems": "cpuset.mems",
    "pids.limit": "pids.max",
}


def v2_settings(limits: Mapping[str, int | str]) -> dict[str, tuple[str, str]]:
    """Return version 2's file and value for each limit of a bundle.

    Source: Documentation/admin-guide/cgroup-v2.rst of Linux. A bundle's -1 means no limit.
    """
    found = {
        name: (file, "max" if limits[name] == -1 else str(limits[name]))
        for name, file in _V2_FILES.items()
        if name in limits
    }
    if "memory.swap" in limits:
        # Version 1 limits memory and swap together, version 2 swap alone.
        swap, memory = int(limits["memory.swap"]), int(limits.get("memory.limit", 0))
        found["memory.swap"] = (
            "memory.swap.max",
            "max" if swap < 0 else str(max(0, swap - memory)),
        )
    if "cpu.shares" in limits:
        # Shares 2..262144 become weights 1..10000, by the formula that all runtimes have.
        weight = 1 + (max(2, min(262144, int(limits["cpu.shares"]))) - 2) * 9999 // 262142
        found["cpu.shares"] = ("cpu.weight", str(weight))
    if "cpu.quota" in limits or "cpu.period" in limits:
        quota = int(limits.get("cpu.quota", -1))
        text = "max" if quota <= 0 else str(quota)
        found["cpu.quota"] = ("cpu.max", f"{text} {limits.get('cpu.period', _PERIOD)}")
    return found


class Setting(NamedTuple):
    """One limit: its name in a bundle, the file that it is written to ("" for none), the value."""

    name: str
    controller: str
    file: str
    value: str

    def __str__(self) -> str:
        where = f" in {self.file}" if self.file else f": no {self.controller} controller is mounted"
        return f"{self.name} to {self.value}{where}"

    def write(self) -> None:
        """Set the limit. Raises OSError."""
        if not self.file:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        write_existing(self.file, self.value.encode())


def settings(
    limits: Mapping[str, int | str], mounted: Sequence[Hierarchy], path: str
) -> Iterator[Setting]:
    """Yield what to write for the limits of the group at `path`, below each mount point."""
    unified = next((each for each in mounted if each.unified), None)
    split = [each for each in mounted if not each.unified]
    if unified and not split:
        for name, (file, value) in v2_settings(limits).items():
            yield Setting(name, name.partition(".")[0], f"{unified.point}{path}/{file}", value)
        return
    for name, number in limits.items():
        controller, file = _V1_FILES[name]
        point = next((each.point for each in split if controller in each.controllers), "")
        yield Setting(name, controller, point and f"{point}{path}/{file}", str(number))
