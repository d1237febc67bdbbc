"""The use cases: what operators and engines ask for, in terms of the ports alone."""

from __future__ import annotations

import time

from domain.container import Exit, FirmwareContainer, Operation, Status, check_id
from domain.errors import Busy, HostFault, NotFound, WrongState
from domain.hook_calls import HookCalls
from domain.light_types import NamedTuple
from domain.recovery import Recovery
from domain.signals import SIGKILL

_GONE_WITHIN = 10.0  # seconds that a supervisor may take to exit

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from domain.builtin_exec import ExecResult
    from domain.creation import CreateRequest
    from domain.ports import (
        Board,
        ContainerStore,
        FirmwareSource,
        HookRunner,
        Leases,
        Supervisors,
    )
    from domain.processor import ProcessorInfo
    from domain.stdio import Stdio


class ProcessorRow(NamedTuple):
    """A processor and the container that owns it, if any."""

    info: ProcessorInfo
    owner: str


class Lifecycle:
    """All operations on containers.

    `board`, `source` and `hooks` are functions, since few operations need what they return. All
    but `pause`, `resume` and `directory` first clean up after processes that died, see
    domain.recovery.
    """

    def __init__(
        self,
        store: ContainerStore,
        board: Callable[[], Board],
        source: Callable[[], FirmwareSource],
        supervisors: Supervisors,
        leases: Leases,
        hooks: Callable[[], HookRunner],
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
        self._recovery = Recovery(store, board, supervisors, leases, warn, clock)

    def create(self, request: CreateRequest, stdio: Stdio) -> FirmwareContainer:
        """Create a container, ready to start; on any error nothing of it remains."""
        from domain.creation import Creation

        check_id(request.id)
        self.reap_stale()
        creation = Creation(
            self._store, self._board, self._source(), self._supervisors, self._hooks, self._clock
        )
        return creation.create(request, stdio)

    def start(self, container_id: str) -> None:
        """Run the firmware; return when the processor runs it. Raises the kernel's error."""
        self.reap_stale()
        with self._store.locked(container_id) as recorded:
            container = self._recovery.refresh(recorded)
            container.check(Operation.START)
            try:
                self._hooks.demand(container, Status.CREATED, "startContainer")
            except BaseException:
                # runtime.md#lifecycle, step 7: the runtime stops the container and destroys it.
                self._kill(container)
                self._destroy(self._recovery.refresh(self._store.load(container_id)))
                raise
            self._supervisors.ask(container, Operation.START)
            self._hooks.attempt(container, Status.RUNNING, "poststart")

    def state(self, container_id: str) -> FirmwareContainer:
        """Return the container as it is now."""
        self.reap_stale()
        return self._recovery.refresh(self._store.load(container_id))

    def all(self) -> list[FirmwareContainer]:
        """Return all containers of this state root as they are now."""
        self.reap_stale()
        found = []
        for container_id in self._store.ids():
            try:
                found.append(self._recovery.refresh(self._store.load(container_id)))
            except NotFound:
                continue  # another process has deleted it meanwhile
            except HostFault as error:
                self._warn(str(error))  # a damaged record does not hide the other containers
        return found

    def kill(self, container_id: str, number: int) -> None:
        """Send a signal. After KILL and the stop signals the processor is off on return."""
        container = self.state(container_id)
        container.check(Operation.KILL)
        if number == SIGKILL or number in container.stop_signals:
            self._kill(container, graceful=number != SIGKILL)
        else:
            self._supervisors.signal(container, number)

    def _kill(self, container: FirmwareContainer, *, graceful: bool = False) -> None:
        try:
            self._supervisors.ask(container, Operation.STOP if graceful else Operation.KILL)
        except WrongState:
            # The supervisor has just ended or been killed, which is what the caller wants.
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
        """Remove a stopped container; with `force` kill it first, and accept that there is none."""
        try:
            self.reap_stale()
            with self._store.locked(container_id) as recorded:
                container = self._recovery.refresh(recorded)
                if force and container.status is not Status.STOPPED:
                    try:
                        self.kill(container_id, SIGKILL)
                    except WrongState:
                        pass  # the container has ended meanwhile
                    container = self._recovery.refresh(self._store.load(container_id))
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
        """Pause the firmware. Raises Unsupported where the processor cannot be paused."""
        self._ask(container_id, Operation.PAUSE)

    def resume(self, container_id: str) -> None:
        """Let paused firmware continue."""
        self._ask(container_id, Operation.RESUME)

    def _ask(self, container_id: str, operation: Operation) -> None:
        with self._store.locked(container_id) as recorded:
            container = self._recovery.refresh(recorded)
            container.check(operation)
            self._supervisors.ask(container, operation)

    def exec(self, container_id: str, words: Sequence[str]) -> ExecResult:
        """Answer a built-in command. Raises WrongState if the container has ended."""
        from domain.builtin_exec import answer

        container = self.state(container_id)
        container.check(Operation.EXEC)
        return answer(words, container, lambda name: self._store.read_file(container_id, name))

    def wait(self, container_id: str) -> Exit:
        """Wait until the container has ended; return how it ended."""
        container = self.state(container_id)
        self._supervisors.wait(container, None)
        exit_ = self.state(container_id).exit
        assert exit_ is not None  # a container whose supervisor has ended has an exit
        return exit_

    def directory(self, container_id: str) -> str:
        """Return the directory of the container's files. Raises NotFound."""
        self._store.load(container_id)
        return self._store.directory(container_id)

    def processors(self) -> list[ProcessorRow]:
        """List the processors of this board, each with the container that owns it."""
        self.reap_stale()
        rows = []
        for info in self._board().processors():
            owner = self._leases.owner(info.device)
            rows.append(ProcessorRow(info, owner.id if owner else ""))
        return rows

    def reap_stale(self) -> None:
        """Remove incomplete containers, and undo the claims of dead owners."""
        self._recovery.reap_stale()
