"""Who owns which processor, in memory; `owner_died` does what the kernel does."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from domain.container import Owner
from domain.errors import Busy
from domain.ports import Claim


class MemoryLease:
    """Implements domain.ports.Lease."""

    def __init__(self, leases: MemoryLeases, device: str, owner: Owner, claim: Claim) -> None:
        self._leases = leases
        self.device = device
        self.owner = owner
        self.claim = claim

    def record_claim(self, claim: Claim) -> None:
        self.claim = dict(claim)

    def release(self) -> None:
        if self._leases.held.get(self.device) is self:
            del self._leases.held[self.device]

    def keep_claim(self) -> None:
        if self._leases.held.pop(self.device, None) is self:
            self._leases.left[self.device] = self


class MemoryLeases:
    """Implements domain.ports.Leases."""

    def __init__(self) -> None:
        self.held: dict[str, MemoryLease] = {}
        self.left: dict[str, MemoryLease] = {}
        self._guard = threading.Lock()

    def acquire(self, device: str, owner: Owner) -> MemoryLease:
        with self._guard:
            if device in self.held:
                holder = self.held[device].owner.id
                raise Busy(f"processor {device} belongs to container {holder}")
            dead = self.left.pop(device, None)
            lease = MemoryLease(self, device, owner, dead.claim if dead else {})
            self.held[device] = lease
            return lease

    def owner(self, device: str) -> Owner | None:
        lease = self.held.get(device)
        return lease.owner if lease else None

    def stale(self) -> Iterator[MemoryLease]:
        for device in sorted(self.left):
            with self._guard:
                lease = self.left.pop(device, None)
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
