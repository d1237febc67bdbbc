"""The use cases: what operators and engines ask for, in terms of the ports alone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from domain.annotations import ProcessorOptions, read_annotations
from domain.container import EXIT_KILLED, Exit, FirmwareContainer, Operation, Status, check_id
from domain.errors import (
    Busy,
    FirmwareUnfit,
    HostFault,
    NotFound,
    RemoteprocError,
    WrongState,
)
from domain.hooks import Hook, HookCalls
from domain.linux_config import LinuxConfig
from domain.processor import ProcessorInfo
from domain.selection import choose
from domain.signals import SIGKILL, stop_signals

_GONE_WITHIN = 10.0  # seconds that a supervisor may take to wind up

if TYPE_CHECKING:
    from domain.ports import (
        Board,
        ContainerStore,
        FirmwareSource,
        HookRunner,
        Leases,
        Stdio,
        Supervisors,
    )


class CreateRequest(NamedTuple):
    """What a bundle asks for. Paths are absolute, but for `entry`, which is the image's own.

    A pod's sandbox has no `entry`. `terminal`: whoever makes the stdio is asked for a terminal,
    of `size` rows and columns (0 leaves them open).
    """

    id: str
    bundle: str
    rootfs: str
    cwd: str
    entry: str
    annotations: Mapping[str, str]
    hooks: Mapping[str, tuple[Hook, ...]] = {}
    linux_config: LinuxConfig = LinuxConfig()
    terminal: bool = False
    size: tuple[int, int] = (0, 0)


class ProcessorRow(NamedTuple):
    """A processor and the container that owns it, if any."""

    info: ProcessorInfo
    owner: str


class Lifecycle:
    """All operations on containers. `board` is a function: few operations need the hardware."""

    def __init__(
        self,
        store: ContainerStore,
        board: Callable[[], Board],
        source: FirmwareSource,
        supervisors: Supervisors,
        leases: Leases,
        hooks: HookRunner,
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._board = board
        self._source = source
        self._supervisors = supervisors
        self._leases = leases
        self._hooks = HookCalls(hooks, warn)
        self._warn = warn
        self._clock = clock

    def create(self, request: CreateRequest, stdio: Stdio) -> FirmwareContainer:
        """Make a container, ready to start; on any error nothing of it remains."""
        check_id(request.id)
        self.reap_stale()
        options = read_annotations(request.annotations)
        draft = self._store.draft(request.id)
        container: FirmwareContainer | None = None
        try:
            planned = self._describe(request, options, draft.path)
            container = self._supervisors.spawn(draft, planned, stdio)
            self._hooks.demand(
                container, Status.CREATING, "prestart", "createRuntime", "createContainer"
            )
            draft.commit(container)
            self._supervisors.adopt(container)
        except BaseException:
            if container is not None:
                self._supervisors.abandon(container)
            draft.discard()
            if container is not None:
                self._hooks.attempt(container, Status.STOPPED, "poststop")
            raise
        draft.close()
        return container

    def _describe(
        self, request: CreateRequest, options: ProcessorOptions, place: str
    ) -> FirmwareContainer:
        container = FirmwareContainer(
            id=request.id,
            bundle=request.bundle,
            rootfs=request.rootfs,
            processor="",
            device="",
            firmware=None,
            annotations=request.annotations,
            created=self._clock(),
            hooks=request.hooks,
            linux_config=request.linux_config,
        )
        if not request.entry:
            return container
        board = self._board()
        info = choose(board.processors(), options.name)
        image = self._source.stage(request.rootfs, request.cwd, request.entry, f"{place}/firmware")
        if options.digest not in ("", image.digest):
            raise FirmwareUnfit(
                f"{image.name} has digest {image.digest}, not {options.digest}",
                hint="deploy the image that the annotation remoteproc.firmware-digest pins",
            )
        board.open(info.device, options).prepare(request.id, image)
        image = image._replace(path=f"{self._store.directory(request.id)}/firmware")
        return container._replace(processor=info.name, device=info.device, firmware=image)

    def start(self, container_id: str) -> None:
        """Run the firmware; return when the processor runs it. Raises the kernel's reason."""
        self.reap_stale()
        with self._store.locked(container_id) as recorded:
            container = self._settled(recorded)
            container.check(Operation.START)
            try:
                self._hooks.demand(container, Status.CREATED, "startContainer")
            except BaseException:
                # runtime.md#lifecycle, step 7: stop the container and destroy it.
                self._kill(container)
                self._destroy(self._settled(self._store.load(container_id)))
                raise
            self._supervisors.ask(container, "start")
            self._hooks.attempt(container, Status.RUNNING, "poststart")

    def state(self, container_id: str) -> FirmwareContainer:
        """Return the container as it is now."""
        self.reap_stale()
        return self._settled(self._store.load(container_id))

    def all(self) -> list[FirmwareContainer]:
        """Return all containers of this state root as they are now."""
        self.reap_stale()
        found = []
        for container_id in self._store.ids():
            try:
                found.append(self._settled(self._store.load(container_id)))
            except NotFound:
                continue  # deleted meanwhile
            except HostFault as error:
                self._warn(str(error))  # one that is damaged does not hide the others
        return found

    def kill(self, container_id: str, number: int) -> None:
        """Send a signal; after KILL and the stop signals the processor is off on return."""
        container = self.state(container_id)
        container.check(Operation.KILL)
        if number == SIGKILL or number in stop_signals(container.annotations):
            self._kill(container, graceful=number != SIGKILL)
        else:
            self._supervisors.signal(container, number)

    def _kill(self, container: FirmwareContainer, *, graceful: bool = False) -> None:
        verb = "stop" if graceful else "kill"
        try:
            self._supervisors.ask(container, verb)
        except WrongState:
            # It ended by itself at this moment, or was killed: either is what was wanted.
            if not self._supervisors.wait(container, _GONE_WITHIN):
                raise
            self.reap_stale()
        except Busy:
            if graceful:
                raise
            self._supervisors.signal(container, SIGKILL)
            self._supervisors.wait(container, _GONE_WITHIN)
            self.reap_stale()

    def delete(self, container_id: str, *, force: bool = False) -> None:
        """Forget a stopped container; with `force` kill it first and accept that it is gone."""
        try:
            self.reap_stale()
            with self._store.locked(container_id) as recorded:
                container = self._settled(recorded)
                if force and container.status is not Status.STOPPED:
                    with contextlib.suppress(WrongState):  # it has ended meanwhile
                        self.kill(container_id, SIGKILL)
                    container = self._settled(self._store.load(container_id))
                container.check(Operation.DELETE)
                self._destroy(container)
        except NotFound:
            if not force:
                raise

    def _destroy(self, container: FirmwareContainer) -> None:
        if not self._supervisors.wait(container, _GONE_WITHIN):
            raise HostFault(
                f"cannot delete container {container.id}: process {container.pid} has not ended",
                hint="try again, or kill that process",
            )
        self._store.remove(container.id)
        self._hooks.attempt(container, Status.STOPPED, "poststop")

    def pause(self, container_id: str) -> None:
        """Freeze the firmware, where the processor can."""
        self._ask(container_id, Operation.PAUSE)

    def resume(self, container_id: str) -> None:
        """Let frozen firmware go on."""
        self._ask(container_id, Operation.RESUME)

    def _ask(self, container_id: str, operation: Operation) -> None:
        with self._store.locked(container_id) as recorded:
            container = self._settled(recorded)
            container.check(operation)
            self._supervisors.ask(container, operation.value)

    def wait(self, container_id: str) -> Exit:
        """Wait until the container has ended; return how."""
        container = self.state(container_id)
        self._supervisors.wait(container, None)
        exit_ = self.state(container_id).exit
        assert exit_ is not None  # a container without a supervisor has ended
        return exit_

    def directory(self, container_id: str) -> str:
        """Return where the container's files are. Raises NotFound."""
        self._store.load(container_id)
        return self._store.directory(container_id)

    def processors(self) -> list[ProcessorRow]:
        """List the processors of this board and who owns them."""
        self.reap_stale()
        rows = []
        for info in self._board().processors():
            owner = self._leases.owner(info.device)
            rows.append(ProcessorRow(info, owner.id if owner else ""))
        return rows

    def reap_stale(self) -> None:
        """Clean up after the dead: stop processors without an owner, drop half-made containers."""
        self._store.sweep()
        for lease in self._leases.stale():
            try:
                if lease.claim:  # else its owner died before it had done anything
                    self._board().reclaim(lease.device, lease.claim)
            except RemoteprocError as error:
                # Stays stale: the next touch tries again.
                self._warn(f"cannot clean up after {lease.owner.id}: {error}")
            else:
                lease.close()

    def _settled(self, container: FirmwareContainer) -> FirmwareContainer:
        if container.exit is not None or self._supervisors.alive(container):
            return container
        exit_ = self._store.record_exit(
            container.id, Exit(EXIT_KILLED, self._clock(), "its supervisor was killed")
        )
        return container._replace(exit=exit_)
