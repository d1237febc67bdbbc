"""The namespaces, control group and limits that a bundle asks for (runtime-spec config-linux.md).

They apply to the supervisor, the Linux process that stands for the firmware.
"""

from __future__ import annotations

from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping


class Namespace(NamedTuple):
    """A Linux namespace: a new one, or the one at `path` (config-linux.md#namespaces)."""

    kind: str
    path: str = ""


class IdMapping(NamedTuple):
    """A range of user or group ids: the first id inside, the first outside, and how many."""

    inside: int
    outside: int
    size: int


class Rlimit(NamedTuple):
    """A resource limit of the process (setrlimit(2)), `RLIMIT_NOFILE` and so on."""

    kind: str
    soft: int
    hard: int


class LinuxConfig(NamedTuple):
    """Namespaces, control group and limits. An empty value asks for nothing.

    `cgroup` is linux.cgroupsPath: below the mount point of each hierarchy, or systemd's
    `slice:prefix:name`. `limits` are the control group's, by the names that config-linux.md
    gives them, as in `memory.limit`; `-1` is no limit. `oom_score_adj`: proc(5). `proc`: /proc is
    to be mounted in the container.
    """

    namespaces: tuple[Namespace, ...] = ()
    users: tuple[IdMapping, ...] = ()
    groups: tuple[IdMapping, ...] = ()
    hostname: str = ""
    cgroup: str = ""
    limits: Mapping[str, int | str] = {}
    oom_score_adj: int | None = None
    rlimits: tuple[Rlimit, ...] = ()
    proc: bool = False
