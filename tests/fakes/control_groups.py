"""Control groups in memory."""

from __future__ import annotations

from collections.abc import Mapping

from domain.container import FirmwareContainer
from domain.usage import Amount, Usage


class MemoryGroups:
    """Implements domain.ports.ControlGroups: `limits` has those of each container, and
    `killed` words about a container whose processes the kernel has killed.
    """

    def __init__(self) -> None:
        self.killed: dict[str, str] = {}
        self.limits: dict[str, dict[str, int | str]] = {}

    def update(self, container: FirmwareContainer, limits: Mapping[str, int | str]) -> None:
        self.limits.setdefault(container.id, {}).update(limits)

    def usage(self, container: FirmwareContainer) -> Usage:
        return Usage(processes=Amount(1))

    def out_of_memory(self, container: FirmwareContainer) -> str:
        return self.killed.get(container.id, "")
