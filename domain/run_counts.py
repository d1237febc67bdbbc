"""How often processors ran firmware and how that ended, from looks at their owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from domain import errors
from domain.container import EXIT_CRASHED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.container import Exit, Owner

_LONGEST_KIND = 60  # characters: firmware has no say in a label, but a driver may tell much


class Run(NamedTuple):
    """What a look shows of a processor's owner: since when its firmware runs, and how it ended.

    `started` is in seconds since the epoch, None before the start; `exit` None before the end.
    """

    owner: Owner
    started: float | None
    exit: Exit | None


class Counts:
    """Of one processor: starts, crashes by kind, other ends, and the time of the last start.

    `refused`: starts that were refused, by kind.
    """

    def __init__(self) -> None:
        self.starts = 0
        self.crashes: dict[str, int] = {}
        self.ends = 0
        self.refused: dict[str, int] = {}
        self.last_start: float | None = None


class RunCounts:
    """The counts of all processors, by device. Each run is counted once, however often seen.

    The runs that the first look finds are no starts, but their ends count.
    """

    def __init__(self) -> None:
        self.by_device: dict[str, Counts] = {}
        self._started: dict[str, tuple[Owner, float]] = {}
        self._ended: dict[str, Owner] = {}
        self._first = True

    def look(self, runs: Mapping[str, Run]) -> None:
        """Take what a look shows, by device; a device without an owner may be left out."""
        for device, run in runs.items():
            counts = self.by_device.setdefault(device, Counts())
            if run.started is not None and self._started.get(device) != (run.owner, run.started):
                self._started[device] = (run.owner, run.started)
                self._ended.pop(device, None)
                counts.last_start = run.started
                counts.starts += not self._first
            if run.exit and run.started is not None and self._ended.get(device) != run.owner:
                self._ended[device] = run.owner
                _count_end(counts, run.exit)
        self._first = False

    def refuse(self, device: str, error: str) -> None:
        """Count a start that was refused; `error` is the name of the error's class."""
        refused = self.by_device.setdefault(device, Counts()).refused
        kind = refusal_kind(error)
        refused[kind] = refused.get(kind, 0) + 1


def refusal_kind(error: str) -> str:
    """Return the words for the name of a class of errors, `other` for one that is not known.

    >>> refusal_kind("FirmwareUnfit")
    'firmware-unfit'
    """
    known = getattr(errors, error, None)
    if not isinstance(known, type) or not issubclass(known, errors.RemoteprocError):
        return "other"
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in error).removeprefix("-")


def _count_end(counts: Counts, exit_: Exit) -> None:
    if exit_.status != EXIT_CRASHED:
        counts.ends += 1
        return
    kind = exit_.reason.removeprefix("crashed: ")[:_LONGEST_KIND] or "unknown"
    counts.crashes[kind] = counts.crashes.get(kind, 0) + 1
