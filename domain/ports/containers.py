"""Ports to the records of containers, and to the images that firmware comes from."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from domain.container import Exit, FirmwareContainer
from domain.firmware import FirmwareImage
from domain.mounts import ImageFiles


class FirmwareSource(Protocol):
    """Takes firmware out of images."""

    def stage(self, files: ImageFiles, name: str, destination: str) -> FirmwareImage:
        """Copy the regular file `name` of the image to `destination`, a new file.

        Symbolic links are followed inside the image's root, never out of it.
        Raises NotFound; InvalidRequest for a directory, a FIFO, an empty or too large a file, or a
        mount that cannot be; Unsupported for a mount whose files cannot be read.
        """

    def verify(self, files: ImageFiles, firmware: FirmwareImage, keys: Sequence[str]) -> None:
        """Check the signature that the image has beside the firmware, over the staged copy.

        The signature is the file with the firmware's name and `.sig` after it, by one of the
        Ed25519 public keys in the files `keys`. Raises Forbidden if there is none, or no good one.
        """


class Draft(Protocol):
    """A container that is being created: invisible until `commit`, gone after `discard`.

    Other operations on the container wait until `close` or `discard`.
    """

    @property
    def path(self) -> str:
        """A private directory, which becomes the container's."""

    def commit(self, container: FirmwareContainer) -> None:
        """Make the container visible, complete. Raises AlreadyExists."""

    def discard(self) -> None:
        """Remove everything, also what was committed."""

    def close(self) -> None:
        """Let other operations on the container proceed."""


class ContainerStore(Protocol):
    """Keeps the records of containers, whatever process dies."""

    def draft(self, container_id: str) -> Draft:
        """Begin a container. Raises AlreadyExists."""

    def ids(self) -> list[str]:
        """Return the ids of all containers, sorted."""

    def load(self, container_id: str) -> FirmwareContainer:
        """Return a container as recorded. Raises NotFound."""

    def locked(self, container_id: str) -> AbstractContextManager[FirmwareContainer]:
        """Load the container and keep operations of other processes on it waiting.

        Raises Busy if another process works on the container for many seconds.
        """

    def read_file(self, container_id: str, name: str) -> bytes:
        """Return a file of the container's directory, b"" if there is none. Raises NotFound."""

    def last_output(self, container_id: str) -> float | None:
        """Return when the firmware printed last, in seconds since the epoch; None for never."""

    def record_exit(self, container_id: str, exit_: Exit) -> Exit:
        """Record how the container ended, unless that is recorded; return what is recorded.

        Only for a container whose supervisor is dead. Where nothing can be recorded, as on a
        read-only disk, the given exit is returned.
        """

    def directory(self, container_id: str) -> str:
        """Return the path of the container's own directory."""

    def remove(self, container_id: str) -> None:
        """Remove the container's record; no error if there is none."""

    def sweep(self) -> None:
        """Remove what killed operations left incomplete."""


class StatusRecord(Protocol):
    """What a supervisor records of its own container."""

    def record_started(self, at: float) -> None:
        """Record that the processor runs since then, in seconds since the epoch."""

    def forget_started(self) -> None:
        """Undo `record_started`."""

    def record_paused(self, paused: bool) -> None:
        """Record that the firmware is paused, or is not any more."""
