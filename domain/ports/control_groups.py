"""The port to the control groups of containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from domain.container import FirmwareContainer
from domain.usage import Usage


class ControlGroups(Protocol):
    """The control groups in which supervisors run, with all that they have started."""

    def update(self, container: FirmwareContainer, limits: Mapping[str, int | str]) -> None:
        """Change limits, which are named as in LinuxConfig; others stay as they are.

        On an error none is changed. Raises WrongState if the container has no group of its own.
        """

    def usage(self, container: FirmwareContainer) -> Usage:
        """Return what the group's processes use; the kernel's sums, where there is a group.

        Without a group of its own it is what the supervisor and its descendants use.
        """

    def out_of_memory(self, container: FirmwareContainer) -> str:
        """Return in words that the kernel killed one of the processes for want of memory, or ""."""
