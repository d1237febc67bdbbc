"""Who owns which processor, in memory; `die` is what the kernel does with a dead owner's locks."""

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
        """Keep what must be undone."""
        self.claim = dict(claim)

    def close(self) -> None:
        """Give the right up; nothing is left of it."""
        if self._leases.held.get(self.device) is self:
            del self._leases.held[self.device]

    def keep_claim(self) -> None:
        """Give the right up and leave what is to be undone to others."""
        if self._leases.held.pop(self.device, None) is self:
            self._leases.left[self.device] = self


class MemoryLeases:
    """Implements domain.ports.Leases."""

    def __init__(self) -> None:
        self.held: dict[str, MemoryLease] = {}
        self.left: dict[str, MemoryLease] = {}
        self._guard = threading.Lock()

    def take(self, device: str, owner: Owner) -> MemoryLease:
        """Own the processor, with the claim of a dead owner if there is one."""
        with self._guard:
            if device in self.held:
                holder = self.held[device].owner.id
                raise Busy(f"processor {device} belongs to container {holder}")
            dead = self.left.pop(device, None)
            lease = MemoryLease(self, device, owner, dead.claim if dead else {})
            self.held[device] = lease
            return lease

    def owner(self, device: str) -> Owner | None:
        """Return the living owner."""
        lease = self.held.get(device)
        return lease.owner if lease else None

    def stale(self) -> Iterator[MemoryLease]:
        """Take what dead owners left; one that is not closed is left again."""
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

    def die(self, device: str) -> None:
        """Let the owner of the processor die by SIGKILL."""
        self.held[device].keep_claim()
