"""Looks at the node's processors again and again, and tells who waits for a change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from domain.errors import Busy, NotFound, RemoteprocError
from domain.offers import Offer, Offers
from domain.ports import Warn
from domain.processor_rows import ProcessorRow
from domain.say_once import SayOnce

_AGAIN = 0.1  # seconds between two looks at a processor that somebody waits for


class NodeWatch:
    """The offers of this node as they were at the last look; any thread may ask and look."""

    def __init__(
        self, rows: Callable[[], Sequence[ProcessorRow]], offers: Offers, say: Warn
    ) -> None:
        self._rows = rows
        self._offers = offers
        self._say = say
        self._changed = threading.Condition()
        self._looking = threading.Lock()
        self._resources: dict[str, list[Offer]] = {}
        self._trouble = SayOnce(say)

    def look(self) -> dict[str, list[Offer]]:
        """Look at the processors; return their offers by resource.

        Where they cannot be looked at, the offers remain as they were, and the reason is said once.
        """
        with self._looking:
            try:
                found = self._offers.look(self._rows())
                self._trouble.over()
            except RemoteprocError as error:
                self._trouble(f"cannot look at the processors: {error}")
                return self._resources
            with self._changed:
                if found != self._resources:
                    self._tell(found)
                    self._resources = found
                    self._changed.notify_all()
            return found

    def _tell(self, found: dict[str, list[Offer]]) -> None:
        """Say which processors have become healthy, or not."""
        before = {offer.id: offer for offers in self._resources.values() for offer in offers}
        for offer in (offer for offers in found.values() for offer in offers):
            known = before.get(offer.id)
            if offer.trouble and (known is None or known.trouble != offer.trouble):
                self._say(
                    f"processor {offer.id} of {offer.resource} cannot be had: {offer.trouble}"
                )
            elif not offer.trouble and (known is None or known.trouble):
                self._say(f"processor {offer.id} of {offer.resource} can be had")

    def offers(self, resource: str) -> list[Offer]:
        """Return the offers of one resource."""
        return self._resources.get(resource, [])

    def changed(self, resource: str, seen: Sequence[Offer], seconds: float) -> list[Offer]:
        """Wait until the offers of a resource differ from those seen, or the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self.offers(resource) != seen, seconds)
            return self.offers(resource)

    def wait_free(self, resource: str, name: str, seconds: float) -> None:
        """Wait until a processor is free. Raises NotFound; Busy when the time is up."""
        deadline = time.monotonic() + seconds
        while True:
            offer = next((o for o in self.look().get(resource, ()) if o.id == name), None)
            if offer is None:
                raise NotFound(f"{resource} has no processor {name}")
            if offer.free:
                return
            if time.monotonic() >= deadline:
                why = offer.trouble or "still has another container"
                raise Busy(f"processor {name} is not free after {seconds:g} s: it {why}")
            time.sleep(_AGAIN)
