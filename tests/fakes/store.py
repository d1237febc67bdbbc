"""Containers in memory; two stores on one `Shelf` are two processes on one state root."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from domain.container import Exit, FirmwareContainer, check_id
from domain.errors import AlreadyExists, NotFound


class Shelf:
    """What would be on disk: containers by id, their locks, and the drafts under way."""

    def __init__(self) -> None:
        self.containers: dict[str, FirmwareContainer] = {}
        self.locks: dict[str, threading.Lock] = {}
        self.drafts: set[MemoryDraft] = set()
        self.last_output: dict[str, float] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        self.guard = threading.Lock()


class MemoryDraft:
    """Implements domain.ports.Draft."""

    def __init__(self, shelf: Shelf, container_id: str, final: str) -> None:
        self._shelf = shelf
        self._id = container_id
        self._final = final
        self._lock = threading.Lock()
        self._lock.acquire()
        self._committed = False
        self._open = True
        self.path = f"{final}.{id(self):x}"
        shelf.drafts.add(self)

    def commit(self, container: FirmwareContainer) -> None:
        with self._shelf.guard:
            if self._id in self._shelf.containers:
                raise AlreadyExists(f"container {self._id} exists")
            self._shelf.containers[self._id] = container
            self._shelf.locks[self._id] = self._lock
        self._committed = True
        self.path = self._final

    def discard(self) -> None:
        if self._committed:
            self._shelf.containers.pop(self._id, None)
        self.close()

    def close(self) -> None:
        self._shelf.drafts.discard(self)
        if self._open:
            self._open = False
            self._lock.release()


class MemoryStore:
    """Implements domain.ports.ContainerStore."""

    def __init__(self, shelf: Shelf | None = None, root: str = "memory:") -> None:
        self.shelf = shelf or Shelf()
        self._root = root

    def directory(self, container_id: str) -> str:
        return f"{self._root}/{container_id}"

    def draft(self, container_id: str) -> MemoryDraft:
        if container_id in self.shelf.containers:
            raise AlreadyExists(f"container {container_id} exists")
        return MemoryDraft(self.shelf, container_id, self.directory(container_id))

    def ids(self) -> list[str]:
        return sorted(self.shelf.containers)

    def load(self, container_id: str) -> FirmwareContainer:
        try:
            return self.shelf.containers[check_id(container_id)]
        except KeyError:
            raise NotFound(f"container {container_id} does not exist") from None

    @contextlib.contextmanager
    def locked(self, container_id: str) -> Iterator[FirmwareContainer]:
        self.load(container_id)
        with self.shelf.locks[container_id]:
            yield self.load(container_id)

    def read_file(self, container_id: str, name: str) -> bytes:
        self.load(container_id)
        return self.shelf.files.get((container_id, name), b"")

    def mark(self, container_id: str, **facts: Any) -> None:
        """Change what is recorded: `started`, `paused`."""
        with self.shelf.guard:
            container = self.load(container_id)
            self.shelf.containers[container_id] = container._replace(**facts)

    def last_output(self, container_id: str) -> float | None:
        self.load(container_id)
        return self.shelf.last_output.get(container_id)

    def record_exit(self, container_id: str, exit_: Exit) -> Exit:
        with self.shelf.guard:
            container = self.load(container_id)
            recorded = container.exit or exit_
            self.shelf.containers[container_id] = container._replace(exit=recorded)
        return recorded

    def remove(self, container_id: str) -> None:
        self.shelf.containers.pop(container_id, None)

    def sweep(self) -> None:
        """Do nothing: what a killed process left in memory is gone with that process."""


class MemoryStatusRecord:
    """Implements domain.ports.StatusRecord on a MemoryStore."""

    def __init__(self, store: MemoryStore, container_id: str) -> None:
        self._store = store
        self._id = container_id

    def record_started(self, at: float) -> None:
        self._store.mark(self._id, started=at)

    def forget_started(self) -> None:
        self._store.mark(self._id, started=None)

    def record_paused(self, paused: bool) -> None:
        self._store.mark(self._id, paused=paused)
