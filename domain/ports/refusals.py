"""Port to whoever counts the starts that are refused."""

from __future__ import annotations

from typing import Protocol

from domain.errors import RemoteprocError


class RefusedStarts(Protocol):
    """Is told of each start that is refused, and of each create that is for its processor."""

    def tell(self, device: str, error: RemoteprocError) -> None:
        """Tell of one, if anybody counts them. It waits for nobody.

        Raises nothing, HostFault neither: the refusal itself is what the user must see.
        """
