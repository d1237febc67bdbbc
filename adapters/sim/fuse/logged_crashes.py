"""A processor whose driver only logs that the firmware has crashed; its state stays `running`.

Source: Linux drivers/remoteproc/ti_k3_r5_remoteproc.c (k3_r5_rproc_mbox_callback). There the
firmware itself reports the crash.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from adapters.sim.execution import Execution
from adapters.sim.remoteproc import RemoteProc


class LoggingRemoteProc(RemoteProc):
    """Calls `log_crash` once for each crash, and changes nothing."""

    log_crash: Callable[[], object] = staticmethod(lambda: None)
    _crashed: Execution | None = None  # the execution whose crash was logged

    def _check_execution(self, execution: Execution) -> None:
        ended = execution.firmware_exit
        due = self._crash_at and time.monotonic() >= self._crash_at
        if not (due or (ended and ended.crashed)):
            super()._check_execution(execution)
        elif self._crashed is not execution:
            self._crashed = execution
            self._crash_at = self._end_at = 0.0  # the firmware does nothing more
            self.log_crash()
