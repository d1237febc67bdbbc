"""Hooks in memory: what would have run, in order; those whose path is in `failing` fail."""

from __future__ import annotations

from domain.container import FirmwareContainer, Status
from domain.errors import HostFault
from domain.hooks import Hook


class MemoryHooks:
    """Implements domain.ports.HookRunner."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str, str]] = []
        self.failing: set[str] = set()

    def run(self, kind: str, hook: Hook, container: FirmwareContainer, status: Status) -> None:
        self.ran.append((kind, hook.path, status.value))
        if hook.path in self.failing:
            raise HostFault(f"{kind} hook {hook.path} exited 1")
