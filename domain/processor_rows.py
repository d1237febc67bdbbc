"""The processors of a board, and which container has each of them."""

from __future__ import annotations

from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from domain.container import Owner
    from domain.ports import Board, Leases
    from domain.processor import ProcessorInfo


class ProcessorRow(NamedTuple):
    """A processor and the container that owns it, if any.

    `left`: the owner has died, and what it started could not be stopped yet.
    """

    info: ProcessorInfo
    owner: Owner | None
    left: bool = False


def list_processors(board: Board, leases: Leases) -> list[ProcessorRow]:
    """Return the processors, with a note about one that a dead container left running."""
    rows = []
    for info in board.processors():
        owner, left = leases.owner(info.device), None
        if owner is None and (left := leases.left(info.device)):
            owner, refusal = left
            why = f": {refusal.why}" if refusal else ""
            note = f"left running by {owner.title}, whose supervisor died{why}"
            info = info._replace(note=note)
        rows.append(ProcessorRow(info, owner, left is not None))
    return rows
