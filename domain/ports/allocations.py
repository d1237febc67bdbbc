"""Port to the allocations: files that say which processor a container was given."""

from __future__ import annotations

from typing import Protocol


class Allocations(Protocol):
    """One file of the host for each processor, in a directory that only this user can change.

    A bind mount of such a file proves an allocation: neither an image nor a volume has that source.
    """

    def publish(self, processor: str) -> str:
        """Return the path of the file that names the processor; make it if need be.

        Raises HostFault.
        """

    def named_by(self, source: str) -> str:
        """Return the processor that the file `source` names, `` if it is no file of these.

        Raises HostFault.
        """
