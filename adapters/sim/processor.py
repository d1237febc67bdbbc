"""A simulated processor; implements domain.ports.Processor.

QEMU, where there is one, is a child of the process that calls `start`, and ends with that process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from errno import EBUSY, ENOENT
from typing import TYPE_CHECKING

from adapters.sim import loader
from adapters.sim.boot import os_error
from adapters.sim.processor_lock import ProcessorLock, read_record
from adapters.sim.remoteproc import RemoteProc
from adapters.sim.sim_console import SimConsole
from adapters.sim.sim_freezer import SimFreezer
from adapters.sim.spec import ProcessorSpec
from domain.errors import ProcessorFault, host_fault
from domain.firmware import FirmwareImage
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

if TYPE_CHECKING:
    from adapters.sim.execution import Execution
    from domain.ports import OpenArgs

_LONGEST_NAME = 255


def open_processor(args: OpenArgs) -> SimProcessor:
    """Open a processor from what SimBoard.open_args returned; no board file is read."""
    spec = ProcessorSpec.from_json(args["spec"])
    device, directory = str(args["device"]), str(args["directory"])
    return SimProcessor(spec, device, directory, args["remarks"])


def first_state(spec: ProcessorSpec) -> ProcessorState:
    """Return the state that the boot loader leaves a processor in."""
    return OFFLINE if spec.boot == "off" else ProcessorState(spec.boot)


class SimProcessor:
    """One processor of a simulated board. `directory` has the lock files of the board's processors.

    `remarks` are messages for the operator that are known before a start.
    """

    def __init__(
        self, spec: ProcessorSpec, device: str, directory: str, remarks: Sequence[str] = ()
    ) -> None:
        self.name = spec.name
        self.device = device
        self._spec = spec
        self._remarks = remarks
        self._rproc = RemoteProc(spec, self._find)
        self._rproc.recovery = False  # a crash ends the container; the engine restarts it
        self.console = SimConsole(self._rproc)
        self.freezer = SimFreezer(self._rproc, self._write_record)
        self._lock = ProcessorLock(os.path.join(directory, device))
        self._claim: Mapping[str, str] = {}
        self._path = ""
        self._reported: ProcessorState = OFFLINE
        self._ready = -1

    def state(self) -> ProcessorState:
        """Return the state now, also if another process runs the processor."""
        if not self._lock.held:
            return ProcessorState(
                read_record(self._lock.path).get("state", first_state(self._spec))
            )
        self._rproc.poll()
        self._write_record()
        self._reported = self._state()
        return self._reported

    def available(self) -> bool:
        return self.state().startable

    def check(self, firmware: FirmwareImage) -> None:
        loader.check_firmware(_read(firmware.path), self._spec, firmware.name)

    def plan_claim(self, container: str, firmware: FirmwareImage) -> dict[str, str]:
        """Return a claim that names the file as the attribute `firmware` will show it."""
        name = printable(os.path.basename(firmware.name))
        return {"container": container, "firmware": name[:_LONGEST_NAME]}

    def load(self, claim: Mapping[str, str], firmware: FirmwareImage) -> None:
        """Lock the processor and set its firmware; EBUSY if another process has the lock."""
        self._take("load")
        self._claim, self._path = claim, firmware.path
        self._do("load", self._rproc.write_firmware, claim["firmware"])

    def start(self) -> None:
        """Start to execute the firmware."""
        self._take("start")
        if self._state() != OFFLINE:  # the kernel would count a second user
            raise self._refused("start", os_error(EBUSY, f"it is {self._state()}"))
        self.freezer.paused = False
        self._do("start", self._rproc.write_state, "start")
        self.console.open()

    def stop(self) -> None:
        """Stop the processor; its output can still be read. No error if it has just ended."""
        if not self._lock.held:
            raise self._refused("stop", os_error(EBUSY, "another process runs it"))
        try:
            self._do("stop", self._rproc.write_state, "stop")
        except ProcessorFault:
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
            self._lock.release()
        elif os.path.exists(self._lock.path) and self._lock.take({}):
            self._lock.release()

    def firmware_exit(self) -> FirmwareExit:
        """Return how the firmware ended, with its semihosting exit code."""
        return self._rproc.firmware_exit

    @property
    def poll_seconds(self) -> float | None:
        """Return the seconds until an injected end is due; None without one."""
        return self._rproc.seconds_to_end() if self._rproc.state == RUNNING else None

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

    def remarks(self) -> Sequence[str]:
        """Return the messages known before the start, once; the exit reason has all others."""
        found, self._remarks = self._remarks, ()
        return found

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

    def _find(self, name: str) -> bytes:
        if not self._path:
            raise os_error(ENOENT, f"no firmware is called {name!r}")
        return _read(self._path)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise host_fault(f"cannot read firmware {path}", error) from error
