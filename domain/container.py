"""A container whose process is firmware: its status, and which operation is legal when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from domain.errors import InvalidRequest, WrongState
from domain.firmware import FirmwareImage
from domain.hooks import Hook
from domain.linux_config import LinuxConfig

EXIT_KILLED = 137
EXIT_CRASHED = 139

_ID = re.compile(r"[0-9A-Za-z_+.-]+")
_ID_MAX = 200  # a file name has 255 bytes, and the store puts a mark before the id


class Status(StrEnum):
    """Runtime-spec runtime.md#state, with runc's `paused`."""

    CREATING = "creating"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Operation(StrEnum):
    """What can be asked of an existing container."""

    START = "start"
    KILL = "kill"
    DELETE = "delete"
    PAUSE = "pause"
    RESUME = "resume"


_LEGAL: Mapping[Operation, tuple[Status, ...]] = {
    Operation.START: (Status.CREATED,),
    Operation.KILL: (Status.CREATED, Status.RUNNING, Status.PAUSED),
    Operation.DELETE: (Status.STOPPED,),
    Operation.PAUSE: (Status.RUNNING,),
    Operation.RESUME: (Status.PAUSED,),
}

_HINTS: Mapping[tuple[Operation, Status], str] = {
    (Operation.START, Status.STOPPED): "delete it and create it anew",
    (Operation.DELETE, Status.CREATED): "kill it first, or delete --force",
    (Operation.DELETE, Status.RUNNING): "kill it first, or delete --force",
    (Operation.DELETE, Status.PAUSED): "kill it first, or delete --force",
    (Operation.KILL, Status.STOPPED): "delete it",
}


class Exit(NamedTuple):
    """How a container ended: status as in a shell, time in seconds since the epoch."""

    status: int
    at: float
    reason: str = ""


class Owner(NamedTuple):
    """The container that owns a processor: its id and the state root it is recorded under."""

    id: str
    root: str


class FirmwareContainer(NamedTuple):
    """A container as recorded, corrected by what is.

    `processor` and `device` are empty for a pod's sandbox, which has no firmware. `pid` and
    `start_time` (its start time in clock ticks since boot) name the supervisor beyond pid reuse.
    Times are seconds since the epoch; `stop_signals` besides TERM and INT stop gracefully.
    `hooks` and `linux_config` are those that the bundle asked for at creation.
    """

    id: str
    bundle: str
    processor: str
    device: str
    firmware: FirmwareImage | None
    annotations: Mapping[str, str]
    created: float
    rootfs: str = ""
    owner: int = 0
    hooks: Mapping[str, tuple[Hook, ...]] = {}
    linux_config: LinuxConfig = LinuxConfig()
    pid: int = 0
    start_time: int = 0
    started: float | None = None
    paused: bool = False
    exit: Exit | None = None

    @property
    def status(self) -> Status:
        """The status that the recorded facts amount to."""
        if self.exit is not None:
            return Status.STOPPED
        if self.started is None:
            return Status.CREATED
        return Status.PAUSED if self.paused else Status.RUNNING

    def check(self, operation: Operation) -> None:
        """Raise WrongState unless the operation is legal now."""
        status = self.status
        if status not in _LEGAL[operation]:
            raise WrongState(
                f"cannot {operation} container {self.id}: it is {status}",
                hint=_HINTS.get((operation, status), ""),
            )


def check_id(container_id: str) -> str:
    """Return the id if it is well-formed (runc's rule), else raise InvalidRequest."""
    if container_id in (".", "..") or not _ID.fullmatch(container_id):
        raise InvalidRequest(
            f"container id {container_id!r} is not allowed",
            hint="use letters, digits and _ + . - only",
        )
    if len(container_id) > _ID_MAX:
        raise InvalidRequest(
            f"container id of {len(container_id)} characters is too long",
            hint=f"use at most {_ID_MAX}",
        )
    return container_id
