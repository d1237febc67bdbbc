"""A simulated processor; implements domain.ports.Processor.

QEMU, where there is one, is a child of the process that calls `start`, and ends with that process.
"""

from __future__ import annotations

import os
from errno import EBUSY, ENOENT

from adapters.linux.view import Place
from adapters.sim import loader
from adapters.sim.boot import os_error
from adapters.sim.processor_lock import ProcessorLock, read_record
from adapters.sim.qemu_users import DEFAULT_USERS, QemuUsers
from adapters.sim.remoteproc import RemoteProc
from adapters.sim.sim_console import SimConsole
from adapters.sim.sim_freezer import SimFreezer
from adapters.sim.spec import NO_CORE, ProcessorSpec
from domain.errors import HostFault, ProcessorFault, host_fault
from domain.processor import (
    ATTACHED,
    DETACHED,
    OFFLINE,
    RUNNING,
    SUSPENDED,
    FirmwareExit,
    ProcessorState,
)
from domain.text import printable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Protocol

    from adapters.sim.execution import Execution
    from adapters.sim.silence import Silence
    from domain.firmware import FirmwareImage
    from domain.ports import OpenArgs

    class Started(Protocol):
        """Takes QEMU's user, None for this process's own, and whether QEMU is kept apart."""

        def __call__(self, user: int | None, *, apart: bool) -> None: ...


_LONGEST_NAME = 255


def open_processor(args: OpenArgs, started: Started | None = None) -> SimProcessor:
    """Open a processor from what SimBoard.open_args returned; no board file is read."""
    spec = ProcessorSpec.from_json(args["spec"])
    device, directory = str(args["device"]), str(args["directory"])
    users, console = QemuUsers(*args["users"]), str(args["console"])
    return SimProcessor(spec, device, directory, args["remarks"], users, started, console)


def first_state(spec: ProcessorSpec) -> ProcessorState:
    """Return the state that the boot loader leaves a processor in."""
    return OFFLINE if spec.boot == "off" else ProcessorState(spec.boot)


class SimProcessor:
    """One processor of a simulated board. `directory` has the lock files of the board's processors.

    `remarks` are messages for the operator that are known before a start. `started` is called when
    the processor has started. `console` is that of ProcessorOptions.
    """

    def __init__(
        self,
        spec: ProcessorSpec,
        device: str,
        directory: str,
        remarks: Sequence[str] = (),
        users: QemuUsers = DEFAULT_USERS,
        started: Started | None = None,
        console: str = "trace",
    ) -> None:
        self.name = spec.name
        self.device = device
        self._spec = spec
        self._remarks = [*remarks]
        self._users = users
        self._rproc = RemoteProc(spec, self._find, users=users)
        self._rproc.report = self._remark
        self._started = started
        self._rproc.recovery = False  # a crash ends the container; the engine restarts it
        self.console = SimConsole(self._rproc, rpmsg=console == "rpmsg" and bool(spec.mailbox))
        self.freezer = SimFreezer(self._rproc, self._write_record)
        self._lock = ProcessorLock(os.path.join(directory, device))
        self._claim: Mapping[str, str] = {}
        self._firmware: FirmwareImage | None = None
        self._copied = -1  # its copy, from `load` until the first start
        self._reported: ProcessorState = OFFLINE
        self._ready = -1
        self._silence: Silence | None = None

    def state(self) -> ProcessorState:
        """Return the state now, also if another process runs the processor."""
        if not self._lock.held:
            return ProcessorState(
                read_record(self._lock.path).get("state", first_state(self._spec))
            )
        self._rproc.poll()
        self._listen()
        self._write_record()
        self._reported = self._state()
        return self._reported

    def available(self) -> bool:
        return self.state().startable

    def check(self, firmware: FirmwareImage) -> None:
        file = loader.open_firmware(firmware.path)
        try:
            loader.check_firmware(loader.content(file), self._spec, firmware.name)
        except OSError as error:
            raise host_fault(f"cannot read firmware {firmware.path}", error) from error
        finally:
            os.close(file)
        if self._spec.core != NO_CORE:
            from adapters.sim.machines import check_machine  # only where there is QEMU

            check_machine(self._spec)

    def plan_claim(self, container: str, firmware: FirmwareImage) -> dict[str, str]:
        """Return a claim that names the file as the attribute `firmware` will show it."""
        name = printable(os.path.basename(firmware.name))
        return {"container": container, "firmware": name[:_LONGEST_NAME]}

    def load(self, claim: Mapping[str, str], firmware: FirmwareImage) -> None:
        """Lock the processor and set its firmware; EBUSY if another process has the lock.

        Raises FirmwareUnfit if the private copy has changed since its digest was taken.
        """
        self._take("load")
        self._drop_copy()
        self._copied = loader.copy_of(firmware)
        self._claim, self._firmware = claim, firmware
        self._do("load", self._rproc.write_firmware, claim["firmware"])

    def start(self) -> None:
        """Start to execute the firmware."""
        self._take("start")
        if self._state() != OFFLINE:  # the kernel would count a second user
            raise self._refused("start", os_error(EBUSY, f"it is {self._state()}"))
        self.freezer.paused = False
        self._do("start", self._rproc.write_state, "start")
        execution = self._rproc.execution
        if execution and execution.unconfined:
            missing = "; ".join(execution.unconfined)
            what = f"{self.name}: QEMU is confined less than it should be: {missing}"
            self._remark(what)
        if execution and self._started:
            self._started(execution.user, apart=not execution.unconfined)
        self.console.open()
        prints = self._spec.console != "none" or self._rproc.resources.traces
        if execution and execution.pid > 0 and prints:
            from adapters.sim.silence import Silence  # only where there is QEMU

            self._silence = Silence(execution)

    def stop(self) -> None:
        """Stop the processor; its output can still be read. No error if it has just ended."""
        if not self._lock.held:
            raise self._refused("stop", os_error(EBUSY, "another process runs it"))
        try:
            self._do("stop", self._rproc.write_state, "stop")
        except HostFault:  # also where only the record of the stop failed
            if self._rproc.state != OFFLINE:
                raise

    def release(self, claim: Mapping[str, str]) -> None:
        """Stop the firmware and unlock the processor.

        Of a dead owner, only the lock file is left to remove: QEMU has ended with its owner.
        """
        if self._lock.held:
            if self._claim not in ({}, claim):
                return  # the processor runs for another claim
            if self._state() not in (OFFLINE, DETACHED, ATTACHED):
                self.stop()
            self._claim = {}
            self._drop_copy()
            if self._silence:
                self._silence.close()
            self._lock.release()
        elif os.path.exists(self._lock.path) and self._lock.take({}):
            self._lock.release()

    def firmware_exit(self) -> FirmwareExit:
        """Return how the firmware ended, with its semihosting exit code."""
        return self._rproc.firmware_exit

    @property
    def poll_seconds(self) -> float | None:
        """Return the seconds until an injected end, or a look at silent firmware; None if never."""
        if self._rproc.state != RUNNING:
            return None
        due = (self._rproc.seconds_to_end(), self._silence.seconds if self._silence else None)
        return min((seconds for seconds in due if seconds is not None), default=None)

    def watch(self) -> Sequence[int]:
        """Return the execution's descriptors, or one that is readable if there is news already."""
        execution = self._rproc.execution
        if execution is None:
            return ()
        if self.console.pending or self._changed(execution):
            if self._ready < 0:
                self._ready = os.eventfd(1, os.EFD_CLOEXEC)
            return (self._ready,)
        return execution.watch()

    def _changed(self, execution: Execution) -> bool:
        ended_unseen = execution.firmware_exit is not None and self._rproc.state == RUNNING
        return ended_unseen or self._state() != self._reported

    def later_places(self) -> Iterator[Place]:
        """Yield what `release` removes."""
        # One directory above that of the lock, which goes with the last lock of the board.
        yield Place(os.path.dirname(os.path.dirname(self._lock.path)), writable=True)
        yield Place(self._users.directory, writable=True)

    def remarks(self) -> Sequence[str]:
        """Return each message once: what is known before the start, the firmware's mistakes."""
        found, self._remarks = self._remarks, []
        return found

    def _remark(self, words: str) -> None:
        self._remarks.append(words)

    def _listen(self) -> None:
        """Remark once on firmware that hangs without a word; not on firmware that is paused."""
        done = self.console.heard or self._state() != RUNNING
        if self._silence and (words := self._silence.look(done=done)):
            self._remark(f"{self.name}: {words}")

    def _state(self) -> ProcessorState:
        state = self._rproc.state
        return SUSPENDED if self.freezer.paused and state == RUNNING else state

    def _take(self, what: str) -> None:
        if not self._lock.take(self._record()):
            owner = read_record(self._lock.path).get("pid", "?")
            raise self._refused(what, os_error(EBUSY, f"process {owner} runs it"))

    def _write_record(self) -> None:
        if self._lock.held:
            self._lock.record(self._record())

    def _record(self) -> dict[str, object]:
        return {"state": self._state(), "firmware": self._rproc.firmware, "pid": os.getpid()}

    def _do(self, what: str, write: Callable[[str], None], word: str) -> None:
        try:
            write(word)
        except OSError as error:
            raise self._refused(what, error) from error
        finally:
            self._write_record()

    def _refused(self, what: str, error: OSError) -> ProcessorFault:
        said = "" if error.strerror == os.strerror(error.errno or 0) else error.strerror
        words = f"simulator: {said}" if said else ""
        return ProcessorFault.refused(what, self.name, error, words=words)

    def _find(self, name: str) -> int:
        if self._firmware is None:
            raise os_error(ENOENT, f"no firmware is called {name!r}")
        copied, self._copied = self._copied, -1
        return copied if copied >= 0 else loader.copy_of(self._firmware)

    def _drop_copy(self) -> None:
        if self._copied >= 0:
            os.close(self._copied)
            self._copied = -1
