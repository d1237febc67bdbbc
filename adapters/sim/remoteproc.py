"""A model of the kernel's remoteproc core that drives a simulated processor.

It behaves as Linux 6.1 does (drivers/remoteproc/remoteproc_core.c, remoteproc_sysfs.c), oddities
included: each `start` of a running processor counts, and the processor needs as many stops.
Errors are OSError with the kernel's errno; HostFault for a fault of the simulator itself.
"""

from __future__ import annotations

import os
import time
from _thread import RLock
from errno import EBUSY, EINVAL, ENODEV

from adapters.sim import boot, loader
from adapters.sim.boot import os_error
from adapters.sim.kernel_log import KernelLogWriter
from adapters.sim.qemu_users import DEFAULT_USERS, QemuUsers
from adapters.sim.spec import InjectedFaults, errno_of
from domain.errors import HostFault
from domain.processor import (
    ATTACHED,
    CRASHED,
    DELETED,
    DETACHED,
    OFFLINE,
    RUNNING,
    FirmwareExit,
    ProcessorState,
)

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sim.boot import Finder
    from adapters.sim.execution import Execution
    from adapters.sim.kernel_log import Printk
    from adapters.sim.spec import ProcessorSpec

RECOVERY_WORDS = ("enabled", "disabled", "recover")
COREDUMP_MODES = ("disabled", "enabled", "inline")


class RemoteProc:
    """One `struct rproc`. Reading an attribute never waits; one change waits for the other.

    `report` takes remarks on the firmware.
    `before_stop` is called before every stop, while the firmware's memory can still be read.
    `before_recovery` is called before a recovery stops the processor; the function that it returns
    is called after that stop, before the recovery starts the processor again.
    A core that a boot loader started (`spec.boot`) has states, but no firmware.
    """

    def __init__(
        self,
        spec: ProcessorSpec,
        find: Finder,
        printk: Printk = lambda *_: None,
        users: QemuUsers = DEFAULT_USERS,
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.crashes = 0
        self.execution: Execution | None = None
        self.report: Callable[[str], object] = lambda _: None
        self.before_stop: Callable[[], object] = lambda: None
        self.before_recovery: Callable[[], Callable[[], None]] = lambda: lambda: None
        self.find = find
        self._log = KernelLogWriter(printk)
        self._users = users
        self._lock = RLock()
        self.reset()

    def reset(self) -> None:
        """Return to the first state, as binding the driver again does."""
        with self._lock:
            if self.execution:
                self.execution.close()
            self.execution = None
            self._log.info(f"{self.name} is available")
            self.state: ProcessorState = OFFLINE if self.spec.boot == "off" else DETACHED
            self.firmware = self.spec.default_firmware
            self.recovery = True
            self.coredump = "disabled"
            self.power = 0
            self.firmware_exit = FirmwareExit(crashed=False)
            self.resources = loader.NO_RESOURCES
            self._crash_at = self._end_at = 0.0
            if self.spec.boot == "attached":  # the driver attaches as soon as it is bound
                self.power = 1
                self._attach(InjectedFaults())

    def remove(self) -> None:
        """Remove the processor, as unbinding the driver does."""
        with self._lock:
            if self.state in (RUNNING, CRASHED, ATTACHED):
                self._power_off()
            self.state = DELETED
            self._log.info(f"releasing {self.name}")

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
                self._log.error(f"Unrecognised option: {word}")
                raise os_error(EINVAL)

    def write_firmware(self, text: str) -> None:
        """Set the firmware's name: the text before the first newline or NUL."""
        with self._lock:
            self.poll()
            if self.state != OFFLINE:
                raise os_error(EBUSY)
            name = text.partition("\0")[0].partition("\n")[0]
            if not name:
                raise os_error(EINVAL)
            self.firmware = name

    def write_recovery(self, word: str) -> None:
        """Do `enabled`, `disabled` or `recover`, as a write to the attribute `recovery` does."""
        with self._lock:
            self.poll()
            if word not in RECOVERY_WORDS:
                raise os_error(EINVAL)
            if word != "recover":
                self.recovery = word == "enabled"
            if word != "disabled" and self.state == CRASHED:
                self._recover()

    def write_coredump(self, word: str) -> None:
        """Do `disabled`, `enabled` or `inline`; as in the kernel, without waiting for a change."""
        if self.state == CRASHED:
            raise os_error(EBUSY)
        if word not in COREDUMP_MODES:
            self._log.error("Invalid coredump configuration")
            raise os_error(EINVAL)
        self.coredump = word

    def crash(self, reason: str) -> None:
        """Crash, as a write to debugfs `crash` does; only logged if it is off or crashed."""
        with self._lock:
            self._log.crash(self.name, reason)
            if self.state not in (OFFLINE, CRASHED, DELETED):
                if self.execution:
                    self.execution.pause()
                self._handle_crash(FirmwareExit(True, None, reason))

    def poll(self) -> None:
        """Update the state by what has become of the firmware; cheap if that is nothing.

        Does nothing while another thread changes the state: a reader never waits.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self.execution is not None:
                self.execution.poll()
                self._pass_remarks(self.execution)
                if self.state == RUNNING:
                    self._check_execution(self.execution)
        finally:
            self._lock.release()

    def _pass_remarks(self, execution: Execution) -> None:
        for words in execution.remarks():
            self._log.remark(words)
            self.report(f"{self.name}: {words}")

    def _check_execution(self, execution: Execution) -> None:
        if execution.firmware_exit and execution.firmware_exit.crashed:
            self._log.crash(self.name, execution.firmware_exit.reason)
            self._handle_crash(execution.firmware_exit)
        elif execution.firmware_exit:
            self._end(execution.firmware_exit)
        elif self._crash_at and time.monotonic() >= self._crash_at:
            self.crash("fault injected by the board file")
        elif self._end_at and time.monotonic() >= self._end_at:
            code = self.spec.faults.exit_code
            self._end(FirmwareExit(False, code, f"exit code {code}"))

    def _end(self, firmware_exit: FirmwareExit) -> None:
        # No driver has a state for firmware that ended by itself; the processor is stopped.
        self.firmware_exit = firmware_exit
        self.power = 0
        self._power_off()

    def seconds_to_end(self) -> float | None:
        """Return the seconds until the injected crash or end; None without either."""
        due = [at for at in (self._crash_at, self._end_at) if at]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def read_trace(self, number: int, most: int) -> bytes | None:
        """Return up to `most` bytes of a trace buffer; None if they cannot be read."""
        with self._lock:
            trace = self.resources.traces[number]
            if self.execution is None or not loader.in_memory(trace, self.spec):
                return None
            return self.execution.read_memory(trace.address, min(trace.size, most))

    def _boot(self) -> None:
        if self.state == DELETED:
            raise os_error(ENODEV)
        self.power += 1
        if self.power > 1:
            return
        try:
            if self.state == DETACHED:
                self._attach(self.spec.faults)
            else:
                self._log.info(f"powering up {self.name}")
                self._load_and_start(recovering=False)
        except BaseException as error:
            self.power -= 1
            self._log.failed("Boot failed", error)
            raise

    def _attach(self, faults: InjectedFaults) -> None:
        self._log.info(f"attaching to {self.name}")
        boot.inject_fault(faults, f"can't attach rproc {self.name}", self._log)
        self.state = ATTACHED
        self._log.info(f"remote processor {self.name} is now attached")

    def _load_and_start(self, *, recovering: bool) -> None:
        log, spec = self._log, self.spec
        try:
            file = boot.request_firmware(self.firmware, self.find, log)
            try:
                self.resources = boot.check_firmware(
                    self.firmware, loader.content(file), spec, log, recovering=recovering
                )
                boot.inject_fault(spec.faults, f"can't start rproc {self.name}", log)
                self.execution = boot.execute(file, spec, log, self._users)
            finally:
                os.close(file)
        except BaseException:
            self.resources = loader.NO_RESOURCES
            raise
        self.firmware_exit = FirmwareExit(crashed=False)
        now, faults = time.monotonic(), spec.faults
        self._crash_at = now + faults.crash_after if faults.crash_after else 0.0
        self._end_at = now + faults.end_after if faults.end_after else 0.0
        self.state = RUNNING
        log.info(f"remote processor {self.name} is now up")

    def _shutdown(self) -> None:
        if self.state not in (RUNNING, CRASHED, ATTACHED):
            raise os_error(EINVAL)
        if self.power > 1:
            self.power -= 1
            return
        if self.spec.faults.stop_error:
            error = os_error(errno_of(self.spec.faults.stop_error), "an injected fault")
            raise self._log.failed("can't stop rproc", error)
        self.power = 0
        self._power_off()

    def _detach(self) -> None:
        if self.state != ATTACHED:
            raise os_error(EINVAL)
        self.power -= 1
        if not self.power:
            self.state = DETACHED
            self._log.info(f"detached remote processor {self.name}")

    def _power_off(self) -> None:
        if self.execution:
            self.execution.pause()
            self.before_stop()
            self.execution.close()
            self._pass_remarks(self.execution)
        self.resources = loader.NO_RESOURCES
        self.state = OFFLINE
        self._log.info(f"stopped remote processor {self.name}")

    def _handle_crash(self, firmware_exit: FirmwareExit) -> None:
        self.firmware_exit = firmware_exit
        self.crashes += 1
        self.state = CRASHED
        self._log.error(f"handling crash #{self.crashes} in {self.name}")
        if self.recovery:
            self._recover()

    def _recover(self) -> None:
        self._log.error(f"recovering {self.name}")
        dumped = self.before_recovery()
        self._power_off()
        dumped()
        try:
            self._load_and_start(recovering=True)
        except (OSError, HostFault):
            pass  # the kernel reports it to no caller: the state is `offline`, and `power` is not 0
