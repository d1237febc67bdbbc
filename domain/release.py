"""The use case `release`: what an operator does about a processor that its driver does not stop."""

from __future__ import annotations

from domain.errors import Busy, HostFault, NotFound, ProcessorFault, RemoteprocError, WrongState
from domain.selection import choose
from domain.signals import SIGKILL

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.container import Owner
    from domain.ports import Board, ContainerStore, Leases, Supervisors

_GONE_WITHIN = 10.0  # seconds that a killed supervisor may take to exit


class Release:
    """Ends the claim of a container on a processor. `kill` and `reap_stale` are Lifecycle's."""

    def __init__(
        self,
        kill: Callable[[str, int], None],
        reap_stale: Callable[[str], None],
        board: Board,
        leases: Leases,
        store: ContainerStore,
        supervisors: Supervisors,
    ) -> None:
        self._kill = kill
        self._reap_stale = reap_stale
        self._board = board
        self._leases = leases
        self._store = store
        self._supervisors = supervisors

    def release(self, name: str, *, force: bool) -> None:
        """Stop what is left on the processor; with `force` give it up if it cannot be stopped.

        Raises Busy for a living container without `force`, NotFound if no container has it.
        """
        info = choose(self._board.processors(), name)
        owner = self._leases.owner(info.device)
        if owner is not None:
            if not force:
                raise Busy(
                    f"processor {info.name} belongs to container {owner.id}, which lives",
                    hint="delete that container, or release --force",
                )
            self._end(owner, info.name)
        elif self._leases.left(info.device) is None:
            raise NotFound(f"no container has processor {info.name}", hint="see `processors`")
        self._reap_stale(info.device)
        left = self._leases.left(info.device)
        if left is None:
            return
        if not force:
            owner, refusal = left
            why = refusal.why if refusal else "another command is just about it"
            raise ProcessorFault(
                f"cannot release processor {info.name} of container {owner.id}: {why}",
                hint="release --force gives it up, and leaves it running",
            )
        for lease in self._leases.stale():
            if lease.device == info.device:
                lease.release()

    def _end(self, owner: Owner, processor: str) -> None:
        """End a living container: kill it, and its supervisor if the driver refuses the stop."""
        if owner.directory != self._store.directory(owner.id):
            raise WrongState(
                f"container {owner.id} is not under this state root",
                hint=f"add --root {owner.root} before the command",
            )
        container = self._store.load(owner.id)
        try:
            self._kill(owner.id, SIGKILL)
        except RemoteprocError:
            try:
                self._supervisors.signal(container, SIGKILL)
            except WrongState:
                pass  # it has ended meanwhile
            if not self._supervisors.wait(container, _GONE_WITHIN):
                raise HostFault(
                    f"cannot release processor {processor}: process {container.pid}, the "
                    f"supervisor of container {owner.id}, does not end",
                    hint="the kernel does not return from a request to the driver: restart it",
                ) from None
