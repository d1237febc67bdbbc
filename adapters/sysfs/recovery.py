"""Follows the kernel's recovery of a crashed processor, which runs again a moment later.

Meanwhile the state is `crashed`, then `offline`. What it means is in the log: the thread that
recovers writes there that it handles a crash after the first change of the state, and before the
others. The line with the crash's type comes from elsewhere, in Linux 6.1.192 maybe last of all.
Source: Linux drivers/remoteproc/remoteproc_core.c (rproc_report_crash, rproc_crash_handler_work,
rproc_boot_recovery).
"""

from __future__ import annotations

import time

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.kmsg import KmsgReader, crash_type, tells_recovery, tells_start, tells_stop
from domain.processor import DELETED, RUNNING, ProcessorState

_WITHIN = 5.0  # seconds in which the kernel must have recovered from a crash


class KernelRecovery:
    """Tells an end from a recovery of the processor `name`; takes all that `log` has to read."""

    __slots__ = (
        *("_attributes", "_crashed", "_dump_until", "_log", "_name", "_remarks", "_since"),
        "stopped",
    )

    def __init__(self, name: str, attributes: Attributes, log: KmsgReader) -> None:
        self._name = name
        self._attributes = attributes
        self._log = log
        self._crashed = False  # since it ran last
        self._since = 0.0  # on time.monotonic()'s clock; 0.0 for no recovery
        self._dump_until = 0.0  # until then, a core dump made by a recovery may appear
        self._remarks: list[str] = []
        self.stopped = False  # the log has told of a stop, and of no start since

    @property
    def failed(self) -> bool:
        """Whether it has ended because the kernel did not recover it."""
        return self._since > 0.0

    @property
    def dump_expected(self) -> bool:
        """Whether the core dump of a crash may appear."""
        return time.monotonic() < self._dump_until

    def state(self) -> ProcessorState:
        """Return the kernel's state, but `running` during recovery."""
        state = self._attributes.state()
        while self._hear():  # the state may be from before what the log tells
            state = self._attributes.state()
        if not state.ended or state == DELETED:
            self._crashed = False
            self._since = 0.0
            return state
        if self._log.is_open and not (self._crashed or state.crashed):
            return state
        if not self._since and self._attributes.read("recovery") == "enabled":
            self._since = time.monotonic()
            if not self.dump_expected:  # the log has not reported this crash
                self._note_crash("")
        recovering = self._since and time.monotonic() - self._since < _WITHIN
        return RUNNING if recovering else state

    def _hear(self) -> bool:
        """Read the log; return whether it tells of a change of the state."""
        changed = False
        for line in self._log.read():
            if kind := crash_type([line]):
                self._note_crash(f": {kind}")
            elif tells_recovery(line):
                self._expect_dump()
                self._crashed = changed = True
            elif tells_start(line):
                self._crashed = self.stopped = False
                self._since = 0.0
                changed = True
            elif tells_stop(line):
                self.stopped = changed = True
        if self._log.lost:
            self._log.lost = False
            self._crashed = True  # for all that is known
        return changed

    def _note_crash(self, kind: str) -> None:
        self._remarks.append(f"{self._name}: crashed{kind}; left to the kernel's recovery")
        self._expect_dump()

    def _expect_dump(self) -> None:
        self._dump_until = time.monotonic() + _WITHIN

    def remarks(self) -> list[str]:
        """Return the crashes that the operator should know of, once."""
        found, self._remarks = self._remarks, []
        return found
