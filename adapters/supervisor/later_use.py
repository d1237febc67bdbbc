"""What a supervisor still uses once its firmware runs: files, and modules not imported before."""

from __future__ import annotations

import os

from adapters.linux.view import Place

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from adapters.isolation.limit_hit import LimitHit
    from adapters.supervisor.front import Front
    from adapters.supervisor.order import SupervisorOrder

    class UsesLater(Protocol):
        """A processor of any backend."""

        def later_places(self) -> Iterable[Place]:
            """Return what it uses once its firmware runs, beside the descriptors that are open.

            What it uses only then it must import now.
            """


class LaterUse:
    """Tells the withdrawal what must stay in view."""

    def __init__(
        self,
        order: SupervisorOrder,
        processor: UsesLater,
        limit_hit: LimitHit,
        front: Front,
    ) -> None:
        self._order = order
        self._processor = processor
        self._limit_hit = limit_hit
        self._withdrawal = front.withdrawal

    def prepare(self) -> None:
        """Prepare the withdrawal. To be called when the processor is loaded."""
        order = self._order
        places = [*self._processor.later_places(), *self._limit_hit.later_places()]
        if order.firmware:
            places.append(Place(order.leases_directory, writable=True))
        if order.termination_log:
            from adapters.supervisor import termination_log  # noqa: F401

            if not os.path.islink(order.termination_log):  # which a mount would follow
                places.append(Place(order.termination_log, writable=True))
        self._withdrawal.prepare(places)
