"""The kernel's remoteproc core, as its user sees it, over a simulated processor.

Behaviour of Linux 6.1 (drivers/remoteproc/remoteproc_core.c, remoteproc_sysfs.c), oddities
included: a start while running counts, and so many stops it takes. Errors are OSError with the
kernel's errno; what is wrong with the simulator itself is HostFault.
"""

from __future__ import annotations

import os
import time
from _thread import RLock
from collections.abc import Callable
from errno import EBUSY, EINVAL, ETIMEDOUT

from adapters.sim import loader
from adapters.sim.machine import Machine
from adapters.sim.spec import ProcessorSpec, errno_of
from domain.errors import FirmwareUnfit, HostFault
from domain.processor import (
    ATTACHED,
    CRASHED,
    DETACHED,
    OFFLINE,
    RUNNING,
    Ending,
    ProcessorState,
)
from domain.resource_table import Trace

Finder = Callable[[str], bytes]
"""Returns the content of a firmware file by its name. Raises OSError."""


def failure(number: int, detail: str = "") -> OSError:
    """Return an OSError with the kernel's errno and more words than the kernel has."""
    return OSError(number, detail or os.strerror(number))


class RemoteProc:
    """One `struct rproc`. Its attributes are read without waiting; changes wait for each other.

    `before_stop` is called while the firmware's memory can be read for the last time,
    `before_recovery` earlier still, and only where a crash is followed by a recovery.
    A boot loader's core, which `spec.boot` asks for, has states, but nothing behind them.
    """

    def __init__(self, spec: ProcessorSpec, find: Finder) -> None:
        self.spec = spec
        self.crashes = 0
        self.machine: Machine | None = None
        self.before_stop: Callable[[], None] = lambda: None
        self.before_recovery: Callable[[], None] = lambda: None
        self._find = find
        self._lock = RLock()
        self.reset()

    def reset(self) -> None:
        """Begin anew, as binding the driver again does."""
        with self._lock:
            if self.machine:
                self.machine.close()
            self.machine = None
            self.state: ProcessorState = OFFLINE if self.spec.boot == "off" else DETACHED
            self.firmware = f"rproc-{self.spec.name}-fw"
            self.recovery = True
            self.coredump = "disabled"
            self.power = 0
            self.ending = Ending(crashed=False)
            self.traces: tuple[Trace, ...] = ()
            self._crash_at = 0.0
            if self.spec.boot == "attached":  # the driver does so as soon as it is there
                self.power, self.state = 1, ATTACHED

    def write_state(self, word: str) -> None:
        """Do `start`, `stop` or `detach`, as a write to the attribute `state` does."""
        with self._lock:
            self.poll()
            if word == "start":
                self._boot()
            elif word == "stop":
                self._shutdown()
            elif word == "detach":
                self._detach()
            else:
                raise failure(EINVAL)

    def write_firmware(self, text: str) -> None:
        """Choose the firmware; only the first line counts."""
        with self._lock:
            self.poll()
            if self.state != OFFLINE:
                raise failure(EBUSY)
            name = text.partition("\0")[0].partition("\n")[0]
            if not name:
                raise failure(EINVAL)
            self.firmware = name

    def write_recovery(self, word: str) -> None:
        """Take `enabled`, `disabled` or `recover`."""
        with self._lock:
            self.poll()
            if word not in ("enabled", "disabled", "recover"):
                raise failure(EINVAL)
            if word != "recover":
                self.recovery = word == "enabled"
            if word != "disabled" and self.state == CRASHED:
                self._try_to_recover()

    def write_coredump(self, word: str) -> None:
        """Take `disabled`, `enabled` or `inline`; alone of all, it waits for no other change."""
        if self.state == CRASHED:
            raise failure(EBUSY)
        if word not in ("disabled", "enabled", "inline"):
            raise failure(EINVAL)
        self.coredump = word

    def crash(self, reason: str) -> None:
        """Make the running firmware crash, as debugfs `crash` does; else no effect."""
        with self._lock:
            if self.state in (RUNNING, ATTACHED):
                if self.machine:
                    self.machine.pause()
                self._crashed(Ending(True, None, reason))

    def poll(self) -> None:
        """Take note of what has happened to the firmware since; cheap when nothing has.

        Does nothing while another thread changes the state: readers never wait.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self.machine is not None:
                self.machine.poll()
                if self.state == RUNNING:
                    self._look_at(self.machine)
        finally:
            self._lock.release()

    def _look_at(self, machine: Machine) -> None:
        if machine.ending and machine.ending.crashed:
            self._crashed(machine.ending)
        elif machine.ending:
            # No driver knows of firmware that ends by itself; it counts as the last stop.
            self.ending = machine.ending
            self.power = 0
            self._off()
        elif self._crash_at and time.monotonic() >= self._crash_at:
            self.crash("fault injected by the board file")

    def seconds_to_crash(self) -> float | None:
        """How long until an injected crash is due; None if none is."""
        return max(0.0, self._crash_at - time.monotonic()) if self._crash_at else None

    def read_trace(self, number: int, most: int) -> bytes | None:
        """Return up to `most` bytes of a trace buffer; None where it cannot be read any more."""
        with self._lock:
            trace = self.traces[number]
            if self.machine is None or not loader.readable(trace, self.spec):
                return None
            return self.machine.read_memory(trace.address, min(trace.size, most))

    def _boot(self) -> None:
        self.power += 1
        if self.power > 1:
            return
        try:
            if self.state == DETACHED:
                self._meet_faults()
                self.state = ATTACHED
            else:
                self._load_and_run()
        except BaseException:
            self.power -= 1
            raise

    def _meet_faults(self) -> None:
        faults = self.spec.faults
        time.sleep(faults.start_delay)
        if faults.start_error:
            raise failure(errno_of(faults.start_error), "an injected fault")

    def _load_and_run(self) -> None:
        try:
            self._load()
        except BaseException:
            self.traces = ()
            raise

    def _load(self) -> None:
        try:
            data = self._find(self.firmware)
            self.traces = loader.check(data, self.spec, os.path.basename(self.firmware))
        except FirmwareUnfit as error:
            raise failure(loader.errno_of(error), str(error)) from error
        self._meet_faults()
        file = loader.as_file(data)
        try:
            self.machine = Machine(self.spec, file)
        finally:
            os.close(file)
        self.ending = Ending(crashed=False)
        after = self.spec.faults.crash_after
        self._crash_at = time.monotonic() + after if after else 0.0
        if not self.machine.resume():
            self.machine.close()
            raise failure(ETIMEDOUT, "the simulator (QEMU) does not answer")
        self.state = RUNNING

    def _shutdown(self) -> None:
        if self.state not in (RUNNING, CRASHED, ATTACHED):
            raise failure(EINVAL)
        if self.power > 1:
            self.power -= 1
            return
        if self.spec.faults.stop_error:
            raise failure(errno_of(self.spec.faults.stop_error), "an injected fault")
        self.power = 0
        self._off()

    def _detach(self) -> None:
        if self.state != ATTACHED:
            raise failure(EINVAL)
        self.power -= 1
        if not self.power:
            self.state = DETACHED

    def _off(self) -> None:
        if self.machine:
            self.machine.pause()
            self.before_stop()
            self.machine.close()
        self.traces = ()
        self.state = OFFLINE

    def _crashed(self, ending: Ending) -> None:
        self.ending = ending
        self.crashes += 1
        self.state = CRASHED
        if self.recovery:
            self._try_to_recover()

    def _try_to_recover(self) -> None:
        self.before_recovery()
        self._off()
        try:
            self._load_and_run()
        except (OSError, HostFault):
            pass  # the kernel tells nobody either: offline, and still counted as in use
