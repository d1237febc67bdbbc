"""Who owns which processor, in memory; `owner_died` does what the kernel does."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from domain.container import Owner, Refusal
from domain.errors import Busy
from domain.ports import Claim


class MemoryLease:
    """Implements domain.ports.Lease."""

    def __init__(self, leases: MemoryLeases, device: str, owner: Owner, claim: Claim) -> None:
        self._leases = leases
        self.device = device
        self.owner = owner
        self.claim = claim
        self.refusal: Refusal | None = None
        self.successor: Owner | None = None

    def record_claim(self, claim: Claim) -> None:
        self.claim, self.refusal = dict(claim), None
        self.owner, self.successor = self.successor or self.owner, None

    def record_refusal(self, refusal: Refusal) -> None:
        self.refusal = refusal

    def release(self) -> None:
        if self._leases.held.get(self.device) is self:
            del self._leases.held[self.device]

    def keep_claim(self) -> None:
        if self._leases.held.pop(self.device, None) is self:
            self._leases.left_behind[self.device] = self


class MemoryLeases:
    """Implements domain.ports.Leases."""

    def __init__(self) -> None:
        self.held: dict[str, MemoryLease] = {}
        self.left_behind: dict[str, MemoryLease] = {}
        self._guard = threading.Lock()

    def acquire(self, device: str, owner: Owner, name: str = "") -> MemoryLease:
        with self._guard:
            if device in self.held:
                holder = self.held[device].owner.title
                raise Busy(f"processor {name or device} belongs to container {holder}")
            dead = self.left_behind.pop(device, None)
            lease = MemoryLease(self, device, owner, {})
            if dead and dead.claim:
                lease.owner, lease.successor = dead.owner, owner
                lease.claim, lease.refusal = dead.claim, dead.refusal
            self.held[device] = lease
            return lease

    def owner(self, device: str) -> Owner | None:
        lease = self.held.get(device)
        return lease.owner if lease else None

    def left(self, device: str) -> tuple[Owner, Refusal | None] | None:
        lease = self.held.get(device) or self.left_behind.get(device)
        return (lease.owner, lease.refusal) if lease and lease.claim else None

    def stale(self) -> Iterator[MemoryLease]:
        for device in sorted(self.left_behind):
            with self._guard:
                lease = self.left_behind.pop(device, None)
                if lease is None or device in self.held:
                    continue
                self.held[device] = lease
            try:
                yield lease
            finally:
                lease.keep_claim()

    def owner_died(self, container_id: str) -> None:
        """Drop the locks of a container's supervisor, as the kernel does at its death."""
        for lease in list(self.held.values()):
            if lease.owner.id == container_id:
                lease.keep_claim()
