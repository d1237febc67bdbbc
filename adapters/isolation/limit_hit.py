"""Tells which limit of a control group its processes have hit."""

from __future__ import annotations

from adapters.linux.view import Place

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.isolation.hierarchies import Hierarchy

_CONTROLLERS = ("memory", "pids")


class LimitHit:
    """Asks the group of linux.cgroupsPath `cgroup`; what it needs for that, it imports then.

    `mounted` are the hierarchies if the caller knows them, so that none needs /proc.
    """

    def __init__(self, cgroup: str, mounted: Sequence[Hierarchy] | None = None) -> None:
        self._cgroup = cgroup
        self._mounted = mounted

    def later_places(self) -> list[Place]:
        """Return what a call uses, having imported what it needs."""
        if not self._cgroup or not self._mounted:
            return []
        from adapters.isolation.group_usage import limit_hit  # noqa: F401
        from adapters.isolation.hierarchies import directory_of

        path = directory_of(self._cgroup)
        asked = (
            each.point + path
            for each in self._mounted
            if each.unified or not each.controllers.isdisjoint(_CONTROLLERS)
        )
        return [] if path == "/" else [Place(each) for each in asked]

    def __call__(self, *, memory_only: bool = False) -> str:
        """Return it in words, "" for none. `memory_only`: only that of memory, which kills.

        Raises RemoteprocError.
        """
        if not self._cgroup:
            return ""
        from adapters.isolation.group_usage import limit_hit

        return limit_hit(self._cgroup, self._mounted, memory_only=memory_only)
