"""A container whose process is firmware: its status, and the one table of legal operations."""

from __future__ import annotations

from domain.errors import InvalidRequest, WrongState
from domain.firmware import FirmwareImage
from domain.light_types import NamedTuple, StrEnum
from domain.linux_config import LinuxConfig
from domain.signals import stop_signals

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.hooks import Hook

EXIT_KILLED = 137
EXIT_CRASHED = 139

ID_CHARACTERS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz+.-")
_HEXADECIMAL = frozenset("0123456789abcdef")
_ID_MAX = 200  # a file name has 255 bytes, and names of drafts have a prefix and a suffix


class Status(StrEnum):
    """Runtime-spec runtime.md#state, with runc's `paused`."""

    CREATING = "creating"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Operation(StrEnum):
    """What a caller can ask of an existing container."""

    START = "start"
    STOP = "stop"
    KILL = "kill"
    DELETE = "delete"
    PAUSE = "pause"
    RESUME = "resume"
    UPDATE = "update"
    EXEC = "exec in"  # as messages say it: "cannot exec in container c1"


_LEGAL: Mapping[Operation, tuple[Status, ...]] = {
    Operation.START: (Status.CREATED,),
    Operation.STOP: (Status.CREATED, Status.RUNNING, Status.PAUSED),
    Operation.KILL: (Status.CREATED, Status.RUNNING, Status.PAUSED),
    Operation.DELETE: (Status.STOPPED,),
    Operation.PAUSE: (Status.RUNNING,),
    Operation.RESUME: (Status.PAUSED,),
    Operation.UPDATE: (Status.CREATED, Status.RUNNING, Status.PAUSED),
    Operation.EXEC: (Status.CREATED, Status.RUNNING, Status.PAUSED),
}

_HINTS: Mapping[tuple[Operation, Status], str] = {
    (Operation.START, Status.STOPPED): "delete it and create it anew",
    (Operation.DELETE, Status.CREATED): "kill it first, or delete --force",
    (Operation.DELETE, Status.RUNNING): "kill it first, or delete --force",
    (Operation.DELETE, Status.PAUSED): "kill it first, or delete --force",
    (Operation.KILL, Status.STOPPED): "delete it",
}


def check_operation(operation: Operation, status: Status, subject: str) -> None:
    """Raise WrongState unless the operation is legal in this status.

    `subject` names in the message what the operation was asked of, as in `container c1`.
    """
    if status not in _LEGAL[operation]:
        raise WrongState(
            f"cannot {operation} {subject}: it is {status}",
            hint=_HINTS.get((operation, status), ""),
        )


class Exit(NamedTuple):
    """How a container ended: the exit status as in a shell, the time in seconds since the epoch.

    `out_of_memory`: the kernel killed one of the container's processes for want of memory.
    """

    status: int
    at: float
    reason: str = ""
    out_of_memory: bool = False


class Owner(NamedTuple):
    """The container that owns a processor: its id, and the state root that has its record.

    `name` is what people call the container, `` if the engine has told no name.
    """

    id: str
    root: str
    name: str = ""

    @property
    def directory(self) -> str:
        """The directory of the container's files."""
        return f"{self.root}/{self.id}"

    @property
    def title(self) -> str:
        """The container as people know it, for messages and tables."""
        # Of their ids Docker and Podman show the first 12 digits, and take them for the whole.
        short = self.id[:12] if len(self.id) == 64 and _HEXADECIMAL.issuperset(self.id) else self.id
        return f"{self.name} ({short})" if self.name else short


class Refusal(NamedTuple):
    """Why the claim of a dead owner is not undone: how often that was tried, when to try again.

    `again` is in seconds since the epoch.
    """

    tries: int
    again: float
    why: str


class FirmwareContainer(NamedTuple):
    """A container as the store has recorded it.

    `processor` and `device` are empty for a pod's sandbox, which has no firmware. `pid` and
    `start_time` (in clock ticks since boot) identify the supervisor, even after the kernel has
    given its pid to another process. `owner` is a user id. Times are seconds since the epoch.
    `hooks` and `linux_config` are those of the bundle at creation. `termination_log` is the host's
    file for the reason of a failure, `` for none. `device_path` is ProcessorInfo.path.
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
    termination_log: str = ""
    device_path: str = ""
    pid: int = 0
    start_time: int = 0
    started: float | None = None
    paused: bool = False
    exit: Exit | None = None

    @property
    def status(self) -> Status:
        """The status that follows from the recorded facts."""
        if self.exit is not None:
            return Status.STOPPED
        if self.started is None:
            return Status.CREATED
        return Status.PAUSED if self.paused else Status.RUNNING

    @property
    def stop_signals(self) -> frozenset[int]:
        """The signals that ask the firmware to stop; see domain.signals."""
        return stop_signals(self.annotations)

    def check(self, operation: Operation) -> None:
        """Raise WrongState unless the operation is legal in the container's status."""
        check_operation(operation, self.status, f"container {self.id}")


def check_id(container_id: str) -> str:
    """Return the id if it is well-formed (runc's rule), else raise InvalidRequest."""
    if container_id in ("", ".", "..") or not ID_CHARACTERS.issuperset(container_id):
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
