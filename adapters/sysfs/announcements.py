"""Decides when to read the state of a processor that firmware of ours runs on.

The kernel logs every start, crash and stop of a processor, after the state has changed. So a
supervisor that can read the log sleeps until a record comes; a slow poll finds what no record
announces. Records come from all parts of the kernel: while there are many, the supervisor polls.
Source: Linux drivers/remoteproc/remoteproc_core.c (rproc_start, rproc_crash_handler_work,
rproc_stop); kernel/printk/printk.c (devkmsg_poll).
"""

from __future__ import annotations

import select
import time

from adapters.sysfs.kmsg import BATCH, KmsgReader, crash_type, tells_start

_SLOW_POLL = 1.0  # seconds between two reads of the state while the log announces changes
_FLOOD_PAUSE = 1.0  # seconds without the log after more records than one turn should read
_ATTEMPTS = 3  # to read a log to its end


class Announcements:
    """Wakes the supervisor by the kernel's log if the log can be trusted, else every `period`."""

    __slots__ = ("_log", "_period", "_quiet_from", "_trusted", "_watching")

    def __init__(self, log: KmsgReader, period: float) -> None:
        self._log = log
        self._period = period
        self._trusted = False
        self._watching = False  # the log is trusted, has been read to its end, and is quiet
        self._quiet_from = 0.0  # monotonic time; before it, the log is left alone

    def begin(self) -> None:
        """Trust the log if it has announced the start of the firmware since it was opened.

        And if it is not reported as readable once it has been read to its end: where another file
        is in its place, the supervisor would wake without end. The caller reads the state next.
        """
        self.end()
        end = select.poll()
        for _ in range(_ATTEMPTS):
            self._log.collect()
            if not self._log.is_open:
                return
            end.register(self._log.descriptor, select.POLLIN)
            if not end.poll(0):
                self._trusted = any(map(tells_start, self._log.messages))
                self._watching = self._trusted
                return

    def end(self) -> None:
        """Trust the log no more."""
        self._trusted = self._watching = False

    def descriptors(self) -> tuple[int, ...]:
        """Return the log's descriptor if it announces changes now."""
        return (self._log.descriptor,) if self._watching else ()

    @property
    def poll_seconds(self) -> float:
        """Seconds after which to read the state if no descriptor has announced a change."""
        return max(self._period, _SLOW_POLL) if self._watching else self._period

    def take(self) -> None:
        """Read what the log announces; call before the state is read, which it may be about.

        After a record the log is left alone for a period: many records cost no more than polls.
        But a crash is logged before it changes the state, and then the next record counts. A log
        that announced no start is read, too: a driver may tell a crash there and nowhere else.
        """
        if not self._log.is_open or (now := time.monotonic()) < self._quiet_from:
            return
        known = len(self._log.messages)
        count = self._log.collect()
        quiet = not count or (count < BATCH and crash_type(self._log.messages[known:]) != "")
        self._trusted = self._trusted and self._log.is_open
        self._watching = self._trusted and quiet
        if not quiet:
            self._quiet_from = now + (_FLOOD_PAUSE if count == BATCH else self._period)
