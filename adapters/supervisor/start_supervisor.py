"""How the process of a supervisor is started: by a fork, by a standby, or as a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable  # the container of bootstrap checks what it is given
class StartSupervisor(Protocol):
    """Starts the process of a container's supervisor, a child of the caller; returns its pid.

    `descriptors` says at which number the process finds which descriptor of the caller. Raises
    OSError, and launch.StarterGone if it is to be called again.
    """

    def __call__(self, container_id: str, descriptors: Mapping[int, int], /) -> int: ...
