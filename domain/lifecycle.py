"""The use cases: what operators and engines ask for, in terms of the ports alone."""

from __future__ import annotations

import time

from domain.container import (
    EXIT_KILLED,
    Exit,
    FirmwareContainer,
    Operation,
    Status,
    check_id,
)
from domain.errors import (
    Busy,
    HostFault,
    NotFound,
    ProcessorFault,
    RemoteprocError,
    SupervisorGone,
    WrongState,
    way_out,
)
from domain.hook_calls import HookCalls
from domain.recovery import Recovery, is_settled
from domain.signals import SIGKILL, is_fatal

_GONE_WITHIN = 10.0  # seconds that a supervisor may take to exit

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from domain.builtin_exec import ExecResult
    from domain.creation import CreateRequest
    from domain.patience import Patience
    from domain.policy import NodePolicy
    from domain.ports import (
        Allocations,
        Board,
        ContainerStore,
        ControlGroups,
        FirmwareSource,
        HookRunner,
        Leases,
        RefusedStarts,
        Supervisors,
    )
    from domain.processor_rows import ProcessorRow
    from domain.stdio import Stdio
    from domain.usage import Usage


class Lifecycle:
    """All operations on containers.

    `board`, `source`, `groups`, `hooks`, `policy` and `allocations` are functions, since few
    operations need what they return. All but `pause`, `resume` and `directory` first clean up after
    processes that died, see domain.recovery.
    """

    def __init__(
        self,
        store: ContainerStore,
        board: Callable[[], Board],
        source: Callable[[], FirmwareSource],
        supervisors: Supervisors,
        leases: Leases,
        groups: Callable[[], ControlGroups],
        hooks: Callable[[], HookRunner],
        policy: Callable[[], NodePolicy],
        warn: Callable[[str], None],
        patience: Patience,
        allocations: Callable[[], Allocations],
        refusals: Callable[[], RefusedStarts],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._board = board
        self._source = source
        self._supervisors = supervisors
        self._leases = leases
        self._groups = groups
        self._hooks = HookCalls(hooks, warn)
        self._policy = policy
        self._warn = warn
        self._patience = patience
        self._allocations = allocations
        self._refusals = refusals
        self._clock = clock
        self._recovery = Recovery(store, board, supervisors, leases, groups, warn, clock)

    def create(self, request: CreateRequest, stdio: Stdio) -> FirmwareContainer:
        """Create a container, ready to start; on any error nothing of it remains."""
        from domain.creation import Creation

        check_id(request.id)
        self.reap_stale()
        parts = (self._store, self._board, self._source(), self._supervisors, self._hooks)
        rules = (self._policy(), self._patience, self._allocations, self._refusals, self._clock)
        return Creation(*parts, *rules).create(request, stdio)

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
            ask = self._supervisors.ask
            names = (container.processor, container.device)
            try:
                self._patience.wait(lambda: ask(container, Operation.START), Busy, *names)
            except SupervisorGone as error:
                raise self._recovery.killed(container) or error from None
            except RemoteprocError as error:
                self._refusals().tell(container.device, error)
                raise
            self._hooks.attempt(container, Status.RUNNING, "poststart")

    def state(self, container_id: str, status: int = EXIT_KILLED) -> FirmwareContainer:
        """Return the container as it is now.

        `status`: the exit status of its supervisor, from the supervisor's parent; it counts where
        the supervisor has recorded none.
        """
        self.reap_stale()
        return self._recovery.refresh(self._store.load(container_id), status)

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
                if error.errno:  # a system call failed: the list would not be that of all
                    raise
                self._warn(str(error))  # a damaged record does not hide the other containers
        return found

    def kill(self, container_id: str, number: int) -> None:
        """Send a signal. After fatal ones and the stop signals the processor is off on return."""
        container = self.state(container_id)
        container.check(Operation.KILL)
        if (graceful := number in container.stop_signals - {SIGKILL}) or is_fatal(number):
            self._kill(container, graceful=graceful)
        else:
            self._supervisors.signal(container, number)

    def _kill(self, container: FirmwareContainer, *, graceful: bool = False) -> None:
        try:
            self._supervisors.ask(container, Operation.STOP if graceful else Operation.KILL)
        except WrongState:
            # The supervisor has just ended or been killed, which is what the caller wants.
            if not self._supervisors.wait(container, _GONE_WITHIN):
                raise
            self._stop_left(container)
        except Busy:
            if graceful:
                raise
            self._supervisors.signal(container, SIGKILL)
            self._supervisors.wait(container, _GONE_WITHIN)
            self._stop_left(container)
        except ProcessorFault as error:
            if not graceful:
                error.hint = "; ".join(filter(None, (error.hint, way_out(container.processor))))
            raise

    def _stop_left(self, container: FirmwareContainer) -> None:
        """Stop the processor of a container without a supervisor. Raises ProcessorFault."""
        stop = self._recovery.stop_left
        if refusal := self._patience.until(is_settled, _GONE_WITHIN, stop, container):
            raise ProcessorFault(
                f"container {container.id} runs on without its supervisor: {refusal.why}",
                hint=way_out(container.processor),
            )

    def delete(self, container_id: str, *, force: bool = False) -> None:
        """Remove a stopped container; with `force` kill it first, and accept that there is none."""
        try:
            self.reap_stale()
            if force:
                # First of all: a command that has the lock may wait for the supervisor itself.
                self._end(self._recovery.refresh(self._store.load(container_id)))
            with self._store.locked(container_id) as recorded:
                container = self._recovery.refresh(recorded)
                container.check(Operation.DELETE)
                self._destroy(container)
        except NotFound:
            if not force:
                raise

    def _end(self, container: FirmwareContainer) -> None:
        if container.status is not Status.STOPPED:
            try:
                self.kill(container.id, SIGKILL)
            except WrongState:
                pass  # the container has ended meanwhile

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

    def update(self, container_id: str, limits: Mapping[str, int | str]) -> None:
        """Change limits of the container's control group, which are named as in LinuxConfig."""
        with self._store.locked(container_id) as recorded:
            container = self._recovery.refresh(recorded)
            container.check(Operation.UPDATE)
            self._groups().update(container, limits)

    def usage(self, container_id: str) -> Usage:
        """Return what the container's processes use. Raises WrongState if it has ended."""
        container = self.state(container_id)
        if container.exit is not None:
            raise WrongState(f"container {container_id} has ended: it uses nothing any more")
        return self._groups().usage(container)

    def exec(self, container_id: str, words: Sequence[str]) -> ExecResult:
        """Answer a built-in command. Raises WrongState if the container has ended."""
        from domain.builtin_exec import answer

        container = self.state(container_id)
        container.check(Operation.EXEC)
        return answer(
            words,
            container,
            lambda name: self._store.read_file(container_id, name),
            lambda: self._silence(container_id),
        )

    def _silence(self, container_id: str) -> float | None:
        printed = self._store.last_output(container_id)
        return None if printed is None else max(0.0, self._clock() - printed)

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
        from domain.processor_rows import list_processors

        self.reap_stale()
        return list_processors(self._board(), self._leases)

    def release(self, name: str, *, force: bool = False) -> None:
        """Stop what a dead container has left on a processor.

        With `force` the container may live, and is killed; and if the driver refuses to stop the
        processor, the container gives it up, and has ended, although the processor runs on.
        """
        from domain.release import Release

        board, store = self._board(), self._store
        Release(self.kill, self.reap_stale, board, self._leases, store, self._supervisors).release(
            name, force=force
        )

    def reap_stale(self, insist: str = "") -> None:
        """Remove incomplete containers, and undo the claims of dead owners; see Recovery."""
        self._recovery.reap_stale(insist)
