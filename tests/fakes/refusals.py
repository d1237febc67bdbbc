"""Starts that were refused, in memory."""

from __future__ import annotations

from domain.errors import RemoteprocError


class ToldRefusals:
    """Implements domain.ports.RefusedStarts; `told` are devices and errors."""

    def __init__(self) -> None:
        self.told: list[tuple[str, RemoteprocError]] = []

    def tell(self, device: str, error: RemoteprocError) -> None:
        self.told.append((device, error))
