"""Looks at the owners of processors many times a second, and at how their firmware ended.

No engine's call does anything for this. The record of a container's end goes with the container,
a moment after the end: so the file is opened as soon as its container has a processor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from adapters.linux.files import open_directory, read_all
from adapters.state.exit_record import NAME, parse_exit
from domain.container import Owner
from domain.errors import RemoteprocError
from domain.ports import Leases, Warn
from domain.run_counts import Run, RunCounts
from domain.say_once import SayOnce


class RunWatch:
    """Keeps open the directories and the records of the containers that have a processor."""

    def __init__(self, leases: Leases, counts: RunCounts, say: Warn) -> None:
        self._leases = leases
        self._counts = counts
        self._open: dict[str, _OpenContainer] = {}
        self._trouble = SayOnce(say)

    def look(self, devices: Sequence[str]) -> None:
        """Look at the owners of these processors, and count what is new."""
        try:
            owners = {device: self._leases.owner(device) for device in devices}
        except RemoteprocError as error:
            self._trouble(f"cannot look at the owners of processors: {error}")
            return
        runs = {}
        for device, owner in owners.items():
            known = self._open.get(device)
            if known and known.owner != owner:
                runs[device] = known.run()  # its end, before the next one's start
                known.close()
                del self._open[device]
        self._counts.look(runs)
        for device, owner in owners.items():
            if owner and device not in self._open and (found := _open(owner)):
                self._open[device] = found
        self._counts.look({device: each.run() for device, each in self._open.items()})


class _OpenContainer:
    def __init__(self, owner: Owner, directory: int, record: int) -> None:
        self.owner = owner
        self._directory = directory
        self._record = record
        self._started: float | None = None

    def run(self) -> Run:
        """Return what is known of the container by now."""
        if self._started is None:
            try:
                self._started = float(read_all("started", self._directory))
            except (OSError, ValueError):
                pass  # it has not started yet, or is deleted
        return Run(self.owner, self._started, parse_exit(os.pread(self._record, 1 << 16, 0)))

    def close(self) -> None:
        """Let go of the container's files."""
        os.close(self._directory)
        os.close(self._record)


def _open(owner: Owner) -> _OpenContainer | None:
    """Open the files of a container; None if it is gone already."""
    try:
        directory = open_directory(owner.directory)
    except OSError:
        return None
    try:
        record = os.open(NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    except OSError:
        os.close(directory)
        return None
    return _OpenContainer(owner, directory, record)
