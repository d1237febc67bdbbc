"""What a supervisor records in its container's directory."""

from __future__ import annotations

from adapters.state import container_dir


class DirectoryStatusRecord:
    """Implements domain.ports.StatusRecord; `directory` is the container's, open."""

    def __init__(self, directory: int) -> None:
        self._directory = directory

    def record_started(self, at: float) -> None:
        container_dir.write_started(at, self._directory)

    def forget_started(self) -> None:
        container_dir.remove_started(self._directory)

    def record_paused(self, paused: bool) -> None:
        container_dir.write_paused(paused, self._directory)
