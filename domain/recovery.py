"""What commands clean up after processes that died: processors are stopped, exits recorded."""

from __future__ import annotations

from domain.container import EXIT_KILLED, Exit
from domain.errors import RemoteprocError

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.container import FirmwareContainer
    from domain.ports import Board, ContainerStore, Leases, Supervisors


class Recovery:
    """Cleans up after dead supervisors and dead commands."""

    def __init__(
        self,
        store: ContainerStore,
        board: Callable[[], Board],
        supervisors: Supervisors,
        leases: Leases,
        warn: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._board = board
        self._supervisors = supervisors
        self._leases = leases
        self._warn = warn
        self._clock = clock

    def reap_stale(self) -> None:
        """Remove incomplete containers, and undo the claims of dead owners."""
        self._store.sweep()
        for lease in self._leases.stale():
            try:
                if lease.claim:  # an owner without a claim had changed nothing
                    self._board().reclaim(lease.device, lease.claim)
            except RemoteprocError as error:
                # The lease stays stale, and the next command tries again.
                self._warn(f"cannot clean up after {lease.owner.id}: {error}")
            else:
                lease.release()

    def refresh(self, container: FirmwareContainer) -> FirmwareContainer:
        """Return the container as it is now: if its supervisor has died, record the exit."""
        if container.exit is not None or self._supervisors.alive(container):
            return container
        exit_ = self._store.record_exit(
            container.id, Exit(EXIT_KILLED, self._clock(), "its supervisor was killed")
        )
        return container._replace(exit=exit_)
