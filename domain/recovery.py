"""What commands clean up after processes that died: processors are stopped, exits recorded."""

from __future__ import annotations

from domain.container import EXIT_KILLED, Exit, Refusal
from domain.errors import RAISE_LIMIT, HostFault, RemoteprocError

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds until a driver that refused to stop a processor is asked again, doubled each time."""

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.container import FirmwareContainer
    from domain.ports import Board, ContainerStore, ControlGroups, Leases, Supervisors


def is_settled(refusal: Refusal | None) -> bool:
    """Return False for a refusal without a try: another process has locked the lease, and tries."""
    return refusal is None or refusal.tries > 0


class Recovery:
    """Cleans up after dead supervisors and dead commands."""

    def __init__(
        self,
        store: ContainerStore,
        board: Callable[[], Board],
        supervisors: Supervisors,
        leases: Leases,
        groups: Callable[[], ControlGroups],
        warn: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._board = board
        self._supervisors = supervisors
        self._leases = leases
        self._groups = groups
        self._warn = warn
        self._clock = clock

    def reap_stale(self, insist: str = "") -> None:
        """Remove incomplete containers, and undo the claims of dead owners.

        Where that failed before, it is tried again after a pause that grows; at once for the
        processor `insist`.
        """
        self._store.sweep()
        now = self._clock()
        for lease in self._leases.stale():
            refusal = lease.refusal
            if refusal and lease.device != insist and 0 < refusal.again - now <= LONGEST_PAUSE:
                continue
            try:
                if lease.claim:  # an owner without a claim had changed nothing
                    self._board().reclaim(lease.device, lease.claim)
            except RemoteprocError as error:
                # The lease stays stale, and a later command tries again.
                tries = refusal.tries + 1 if refusal else 1
                pause = min(FIRST_PAUSE * 2 ** min(tries - 1, 10), LONGEST_PAUSE)
                lease.record_refusal(Refusal(tries, now + pause, error.message))
                if refusal is None or refusal.why != error.message:  # say it once
                    self._warn(f"cannot clean up after {lease.owner.id}: {error}")
            else:
                lease.release()

    def left_running(self, container: FirmwareContainer) -> Refusal | None:
        """Return why the processor could not be stopped after the supervisor's death, if so."""
        left = self._leases.left(container.device) if container.device else None
        if left is None:
            return None
        owner, refusal = left
        if owner.directory != self._store.directory(container.id):
            return None
        infos = self._board().processors()
        runs = any(info.device == container.device and not info.state.ended for info in infos)
        return (refusal or Refusal(0, 0.0, "not tried yet")) if runs else None

    def stop_left(self, container: FirmwareContainer) -> Refusal | None:
        """Stop what a dead supervisor has left running; return why that cannot be, if so."""
        self.reap_stale(insist=container.device)
        return self.left_running(container)

    def killed(self, container: FirmwareContainer) -> HostFault | None:
        """Return the error of a start whose supervisor was killed for want of memory, if it was."""
        self.reap_stale(insist=container.device)  # it may have died after its claim
        exit_ = self.refresh(container).exit
        if exit_ is None or not exit_.out_of_memory:
            return None
        return HostFault(f"cannot start container {container.id}: {exit_.reason}", hint=RAISE_LIMIT)

    def refresh(self, container: FirmwareContainer, status: int = EXIT_KILLED) -> FirmwareContainer:
        """Return the container as it is now: if its supervisor has died, record the exit.

        A container whose processor runs on, since the driver refuses to stop it, has not ended.
        """
        if container.exit is not None or self._supervisors.alive(container):
            return container
        left = self.left_running(container)
        if left and not left.tries:  # it has died since `reap_stale` looked
            self.reap_stale(insist=container.device)
            left = self.left_running(container)
        if left:
            return container
        words = self._groups().out_of_memory(container)
        why = "its supervisor was killed" if status == EXIT_KILLED else "it could record no reason"
        exit_ = self._store.record_exit(
            container.id,
            Exit(EXIT_KILLED if words else status, self._clock(), words or why, bool(words)),
        )
        return container._replace(exit=exit_)
