"""Ports to the leases: which container owns which processor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from domain.container import Owner, Refusal
from domain.ports.processors import Claim


class Lease(Protocol):
    """The right to use a processor. One process holds the lease until it ends it, or dies.

    A supervisor holds the lease of its processor from start to exit; a command holds the lease
    of a dead owner while it cleans up. The lease ends with `release` or with `keep_claim`; later
    calls of either do nothing.
    """

    device: str
    owner: Owner
    claim: Claim
    refusal: Refusal | None

    def record_claim(self, claim: Claim) -> None:
        """Record how to undo what the holder is going to change.

        The holder calls this before it changes anything, so that another process can undo the
        changes if the holder dies. The first claim that it records after `acquire` makes it the
        owner on record, instead of a dead one whose claim the lease carried.
        """

    def record_refusal(self, refusal: Refusal) -> None:
        """Record that the claim of the dead owner could not be undone."""

    def release(self) -> None:
        """End the lease and remove its record.

        The holder calls this when nothing is left to undo.
        """

    def keep_claim(self) -> None:
        """End the lease and keep its record, as the death of the holder would.

        A holder that lives on calls this when it failed to undo what the claim says: the lease is
        then stale, and the next command tries again.
        """


class Leases(Protocol):
    """The leases of all processors of this machine, whatever the state root or the engine."""

    def acquire(self, device: str, owner: Owner, name: str = "") -> Lease:
        """Return a lease on the processor. Raises Busy with the title of the living owner.

        `name` is what people call the processor, if it is not `device`.
        The lease may carry the claim of a dead owner: the caller must undo that first.
        """

    def owner(self, device: str) -> Owner | None:
        """Return the living owner of the processor."""

    def left(self, device: str) -> tuple[Owner, Refusal | None] | None:
        """Return whose claim on the processor is on record, and why it is not undone, if so.

        The owner may live. None without a claim.
        """

    def stale(self) -> Iterator[Lease]:
        """Acquire, one by one, the leases whose owners died or kept their claims.

        A lease that the caller does not release is stale again once the caller asks for the next.
        """
