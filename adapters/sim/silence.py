"""Finds firmware that has printed nothing and runs in a short loop, as it does after a mistake.

One look, some time after the start: an idle processor is not disturbed.
"""

from __future__ import annotations

import os
import re
import time

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from adapters.sim.execution import Execution

_LOOK_AFTER = 1.0  # seconds
_BUSY = 0.5  # of the time since the start
_LOOKS = 8
_SHORT = 256  # bytes of code
_LONGEST = 128  # bytes of a counter's file

_PC = re.compile(r"\b(?:R15|PC)=([0-9a-f]{8,16})| pc +([0-9a-f]{8,16})")
_EXCEPTION = re.compile(r"\bXPSR=([0-9a-f]{8})")
_FAULTS = {2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault"}
# Registers of an M-profile core (Armv7-M Architecture Reference Manual, B3.2): status and address.
_CFSR, _BFAR, _BFAR_VALID = 0xE000ED28, 0xE000ED38, 1 << 15


class Silence:
    """Looks once at the execution that has just been started."""

    def __init__(self, execution: Execution) -> None:
        self._execution: Execution | None = execution
        self._started = self._due = time.monotonic()
        self._due += _LOOK_AFTER
        # Open until the look: later on, this process has no view of the host's /proc.
        self._counters = _counters(execution.pid)
        self._before = self._wanted()

    @property
    def seconds(self) -> float | None:
        """The seconds until `look` is due; None if it is not."""
        return None if self._execution is None else max(0.0, self._due - time.monotonic())

    def look(self, *, done: bool) -> str:
        """Return a remark if the look is due, and finds such a loop; else an empty string.

        `done`: the firmware has printed something, or does not run; no look will be due any more.
        """
        execution, now = self._execution, time.monotonic()
        if execution is None or (now < self._due and not done):
            return ""
        self._execution = None
        wanted = 0.0 if done else self._wanted() - self._before
        self.close()
        if wanted < _BUSY * (now - self._started) or done:
            return ""
        seen = [execution.monitor("info registers") for _ in range(_LOOKS)]
        places = [int(found[1] or found[2], 16) for found in map(_PC.search, seen) if found]
        if len(places) < _LOOKS or max(places) - min(places) >= _SHORT:
            return ""
        where = f"{min(places):#010x}{_handler(seen[-1], execution)}"
        return f"the firmware has printed nothing, and runs in a loop at {where}"

    def close(self) -> None:
        """Look no more. Repeatable."""
        self._execution = None
        while self._counters:
            os.close(self._counters.pop())

    def _wanted(self) -> float:
        """Return for how many seconds the busiest thread has run or waited for a processor."""
        most = 0
        try:
            for counter in self._counters:
                ran, waited = os.pread(counter, _LONGEST, 0).split()[:2]
                most = max(most, int(ran) + int(waited))
        except (OSError, ValueError):
            return 0.0  # the process has ended, or this kernel counts nothing
        return most / 1e9


def _handler(registers: str, execution: Execution) -> str:
    """Return in which fault handler a core of the M profile is, and why."""
    status = _EXCEPTION.search(registers)
    fault = _FAULTS.get(int(status[1], 16) & 0x1FF) if status else None
    if not fault:
        return ""
    why = int.from_bytes(execution.read_memory(_CFSR, 4) or b"", "little")
    address = int.from_bytes(execution.read_memory(_BFAR, 4) or b"", "little")
    if not why & _BFAR_VALID:
        return f", its {fault} handler (CFSR {why:#010x})"
    return f", its {fault} handler, after an access to {address:#010x}"


def _counters(pid: int) -> list[int]:
    """Return descriptors of what the kernel counts for each thread, none if the process ended."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            path = f"/proc/{pid}/task/{thread}/schedstat"
            found.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        pass  # the process has ended, or this kernel counts nothing
    return found
