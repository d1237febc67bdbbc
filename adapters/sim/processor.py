"""A simulated processor as the domain's port, run in this very process.

QEMU is a child of the process that called `start`: when that ends, so does the firmware.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from errno import EBUSY, ENOENT
from typing import TYPE_CHECKING

from adapters.sim import loader
from adapters.sim.boot import failure
from adapters.sim.processor_lock import ProcessorLock, look
from adapters.sim.qemu import QemuProcess
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
    """Implements domain.ports.Processor. `directory` is where the board's users meet.

    `remarks` is what operators should know beforehand.
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
        self.freezer = SimFreezer(self._rproc, self._tell)
        self._presence = ProcessorLock(os.path.join(directory, device))
        self._claim: Mapping[str, str] = {}
        self._path = ""
        self._reported: ProcessorState = OFFLINE
        self._ready = -1

    def state(self) -> ProcessorState:
        """Return the state now, whichever process runs it."""
        if not self._presence.held:
            return ProcessorState(look(self._presence.path).get("state", first_state(self._spec)))
        self._rproc.poll()
        self._tell()
        self._reported = self._state()
        return self._reported

    def available(self) -> bool:
        """Whether it is off."""
        return self.state().startable

    def check(self, firmware: FirmwareImage) -> None:
        loader.check(_read(firmware.path), self._spec, firmware.name)

    def plan_claim(self, container: str, firmware: FirmwareImage) -> dict[str, str]:
        """Return a claim that names the file as the attribute `firmware` will show it."""
        name = printable(os.path.basename(firmware.name))
        return {"container": container, "firmware": name[:_LONGEST_NAME]}

    def load(self, claim: Mapping[str, str], firmware: FirmwareImage) -> None:
        """Take the processor and choose the firmware; EBUSY if another process has it."""
        self._take("load")
        self._claim, self._path = claim, firmware.path
        self._do("load", self._rproc.write_firmware, claim["firmware"])

    def start(self) -> None:
        """Run it in a QEMU of its own."""
        self._take("start")
        if self._state() != OFFLINE:  # the kernel would count a second user, whom we never have
            raise self._refused("start", failure(EBUSY, f"it is {self._state()}"))
        self.freezer.paused = False
        self._do("start", self._rproc.write_state, "start")
        self.console.open()

    def stop(self) -> None:
        """Stop it; what it printed can still be read. Firmware that just ended is no error."""
        if not self._presence.held:
            raise self._refused("stop", failure(EBUSY, "another process runs it"))
        try:
            self._do("stop", self._rproc.write_state, "stop")
        except ProcessorFault:
            if self._rproc.state != OFFLINE:
                raise

    def release(self, claim: Mapping[str, str]) -> None:
        """Stop the firmware and give the processor back.

        On behalf of a dead owner there is only its file to remove: QEMU has died with it.
        """
        if self._presence.held:
            if self._claim not in ({}, claim):
                return  # what runs here is not what the caller means
            if self._state() not in (OFFLINE, DETACHED, ATTACHED):
                self.stop()
            self._claim = {}
            self._presence.drop()
        elif os.path.exists(self._presence.path) and self._presence.take({}):
            self._presence.drop()

    def firmware_exit(self) -> FirmwareExit:
        """Tell what QEMU told, the semihosting exit code included."""
        return self._rproc.ending

    @property
    def poll_seconds(self) -> float | None:
        """None but for trace buffers, which are mere memory, and an injected crash."""
        if self._rproc.state != RUNNING:
            return None
        times = (self.console.poll_seconds, self._rproc.seconds_to_crash())
        return min((seconds for seconds in times if seconds is not None), default=None)

    def watch(self) -> Sequence[int]:
        """QEMU's monitor, its consoles, its process; what has been noticed counts as news too."""
        machine = self._rproc.machine
        if machine is None:
            return ()
        if self.console.pending or self._changed(machine):
            if self._ready < 0:
                self._ready = os.eventfd(1, os.EFD_CLOEXEC)
            return (self._ready,)
        return machine.watch()

    def _changed(self, machine: QemuProcess) -> bool:
        ended_unseen = machine.ending is not None and self._rproc.state == RUNNING
        return ended_unseen or self._state() != self._reported

    def remarks(self) -> Sequence[str]:
        """Return what was known beforehand: of all else endings say it all."""
        found, self._remarks = self._remarks, ()
        return found

    def _state(self) -> ProcessorState:
        state = self._rproc.state
        return SUSPENDED if self.freezer.paused and state == RUNNING else state

    def _take(self, what: str) -> None:
        if not self._presence.take(self._record()):
            owner = look(self._presence.path).get("pid", "?")
            raise self._refused(what, failure(EBUSY, f"process {owner} runs it"))

    def _tell(self) -> None:
        if self._presence.held:
            self._presence.record(self._record())

    def _record(self) -> dict[str, object]:
        return {"state": self._state(), "firmware": self._rproc.firmware, "pid": os.getpid()}

    def _do(self, what: str, write: Callable[[str], None], word: str) -> None:
        try:
            write(word)
        except OSError as error:
            raise self._refused(what, error) from error
        finally:
            self._tell()

    def _refused(self, what: str, error: OSError) -> ProcessorFault:
        said = "" if error.strerror == os.strerror(error.errno or 0) else error.strerror
        words = f"simulator: {said}" if said else ""
        return ProcessorFault.refused(what, self.name, error, words=words)

    def _find(self, name: str) -> bytes:
        if not self._path:
            raise failure(ENOENT, f"no firmware is called {name!r}")
        return _read(self._path)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise host_fault(f"cannot read firmware {path}", error) from error
