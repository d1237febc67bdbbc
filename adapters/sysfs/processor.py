"""One processor of the kernel; implements domain.ports.Processor."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.cdev import ShutdownOnRelease
from adapters.sysfs.claim import ProcessorChanges
from adapters.sysfs.console import TtyConsole
from adapters.sysfs.coredump import Coredumps
from adapters.sysfs.kmsg import KmsgReader, crash_type
from adapters.sysfs.policy import Policy
from adapters.sysfs.power import Power, is_off
from adapters.sysfs.preflight import judge
from adapters.sysfs.search_path import SearchPath
from adapters.sysfs.sysfs_console import SysfsConsole
from domain.annotations import ProcessorOptions
from domain.errors import RemoteprocError, WrongState, reason
from domain.firmware import FirmwareImage
from domain.processor import DELETED, DETACHED, OFFLINE, RUNNING, FirmwareExit, ProcessorState

if TYPE_CHECKING:
    from domain.ports import Claim, OpenArgs

_RECOVERY_WITHIN = 5.0  # seconds in which the kernel must have recovered from a crash
_NOT_US = "it ended by itself, or somebody else stopped it"
_BOOT_LOADER = ("attached", "detached")


def open_processor(args: OpenArgs) -> SysfsProcessor:
    """Open a processor from what SysfsBoard.open_args returned, in another process."""
    return SysfsProcessor(
        args["root"],
        args["device"],
        ProcessorOptions(*args["options"]),
        Policy(**args["policy"]),
        args["directory"],
    )


class SysfsProcessor:
    """The processor `device` under `root`; `directory` is the firmware's, `` for the kernel's.

    Nothing is kept open before `load`.
    """

    def __init__(
        self, root: str, device: str, options: ProcessorOptions, policy: Policy, directory: str
    ) -> None:
        root = root.rstrip("/")
        self._path = path = f"{root}/sys/class/remoteproc/{device}"
        self._attributes = Attributes(path, genuine=not root)
        self._device = device
        self._name = self._attributes.shown("name") or device
        self._options = options
        self._policy = policy
        self._log = KmsgReader(f"{root}/dev/kmsg", device)
        self._power = Power(self._name, self._attributes, self._log)
        search = SearchPath(root, directory)
        self._changes = ProcessorChanges(device, self._name, self._attributes, self._power, search)
        self._switch = ShutdownOnRelease(f"{root}/dev/{device}")
        self._coredumps = Coredumps(root, path, policy.coredumps)
        named = "" if options.console == "rpmsg" else options.console
        tty = TtyConsole(root, path, named, policy.consoles.get(named, 0))
        debug = f"{root}/sys/kernel/debug/remoteproc/{device}"
        self._console = SysfsConsole(options.console, self._name, debug, tty)
        self._container = ""
        self._claim: Claim = {}  # by which it was loaded here
        self._remarks: list[str] = []
        self._executing = False
        self._crashing = False  # by the kernel's log, and not recovered since
        self._faltered = 0.0  # since when the kernel has been recovering
        self._dump_until = 0.0  # how long to look for a core dump that comes of recovery

    def __del__(self) -> None:
        """Close what is open: servers open and drop processors all the time."""
        if hasattr(self, "_dump_until"):
            self._close()

    def _close(self) -> None:
        self._attributes.release_state()
        self._log.close()
        self._console.close()
        self._executing = False

    @property
    def name(self) -> str:
        """The driver's name for the processor."""
        return self._name

    @property
    def device(self) -> str:
        """The kernel's name for it."""
        return self._device

    @property
    def poll_seconds(self) -> float | None:
        """The kernel announces no change of state."""
        return self._policy.poll_seconds

    @property
    def console(self) -> SysfsConsole:
        return self._console

    @property
    def freezer(self) -> None:
        return None  # the kernel has no way to freeze a processor

    def check(self, firmware: FirmwareImage) -> None:
        """Judge the firmware by the processor's policy, and the place where it is published."""
        if self._options.attached == "keep":
            return
        if warning := judge(firmware, self._policy, self._path, self._name):
            self._remarks.append(warning)
        self._changes.check()

    def plan_claim(self, container: str, firmware: FirmwareImage) -> Claim:
        self._container = container
        return self._changes.plan(container, firmware, self._options)

    def load(self, claim: Claim, firmware: FirmwareImage) -> None:
        """Publish the firmware and choose it; take over what the boot loader started.

        Raises WrongState if there is nothing to keep.
        """
        state = self._attributes.state()
        if self._options.attached == "keep" and state not in _BOOT_LOADER:
            raise WrongState(
                f"processor {self._name} is {state}: nothing runs there to attach to",
                hint="leave out the annotation remoteproc.attached to run the image's firmware",
            )
        self._claim = claim
        self._log.open()
        self._attributes.hold_state()
        self._changes.apply(claim, firmware)

    def start(self) -> None:
        """Start or attach, and believe it when the state says so."""
        state = self._attributes.state()
        # Who runs it already has had that promise, which is the processor's: ours would end theirs.
        if state == OFFLINE or self._options.attached == "keep":
            self._switch.hold()
        if self._options.attached != "keep":
            self._power.start()
        elif state == DETACHED:
            self._power.attach()
        self._executing = True
        self._console.open()

    def stop(self) -> None:
        """Stop, or detach from what was only kept."""
        if self._options.attached == "keep":
            if not self._power.detach():
                self._remarks.append(f"{self._name} stays attached: its driver cannot detach")
        else:
            self._power.stop_running()

    def release(self, claim: Claim) -> None:
        """Undo all that the claim says; the kernel's promise to stop is given up last."""
        self._changes.undo(claim)
        if self._claim not in ({}, claim):
            return  # what is held open here is for what another claim runs
        self._claim = {}
        # A promise given to whoever runs something else there is not ours to break.
        if self._switch.held or is_off(self._attributes.state()):
            self._switch.let_go()
        self._close()

    def state(self) -> ProcessorState:
        """Return the kernel's word; `running` while the kernel itself recovers from a crash."""
        state = self._attributes.state()
        if not self._executing or self._options.recovery != "kernel":
            return state
        self._note_recovery()
        if not state.ended or state == DELETED:
            self._faltered = 0.0
            return state
        if self._log.listening and not self._crashing:
            return state  # an end like any other: the log tells of each crash before the state
        if not self._faltered and self._attributes.exact("recovery") == "enabled":
            self._faltered = time.monotonic()
            if self._faltered > self._dump_until:  # the kernel's log does not tell of it
                self._recovering("")
        if self._faltered and time.monotonic() - self._faltered < _RECOVERY_WITHIN:
            return RUNNING
        return state

    def available(self) -> bool:
        """Whether it is off, or a boot loader's and the container may have it."""
        state = self._attributes.state()
        return state.startable or (self._options.attached != "" and state in _BOOT_LOADER)

    def _note_recovery(self) -> None:
        for line in self._log.news():
            if kind := crash_type([line]):
                self._crashing = True
                self._recovering(f": {kind}")
            elif line.endswith((" is now up", " is now attached")):
                self._crashing = False
        if self._options.coredump == "enabled" and time.monotonic() < self._dump_until:
            self._remarks += self._coredumps.save(self._container)

    def _recovering(self, kind: str) -> None:
        self._remarks.append(f"{self._name}: crashed{kind}; left to the kernel's recovery")
        self._dump_until = time.monotonic() + _RECOVERY_WITHIN

    def firmware_exit(self) -> FirmwareExit:
        """Tell why it ended, as far as the kernel's log may be read; save a core dump if wished."""
        state = self._attributes.state()
        if state == DELETED:
            return FirmwareExit(crashed=True, reason="its driver was removed")
        news = self._log.news()
        why = crash_type(news)
        if self._faltered:
            why = "the kernel has not recovered it"
        if state.crashed and self._options.coredump == "enabled":
            why = f"{why}; {self._dump()}" if why else self._dump()
        if state.crashed or why:
            return FirmwareExit(crashed=True, reason=why)
        stopped = any(line.startswith("stopped remote processor ") for line in news)
        return FirmwareExit(crashed=False, reason=_NOT_US if stopped else "")

    def _dump(self) -> str:
        """Get the core dump, which the kernel only makes when it recovers the processor.

        So the firmware runs again for an instant.
        """
        if self._options.attached == "keep":
            return "no core dump of a core that was only attached to"
        self._console.seal()
        try:
            self._attributes.write("recovery", "recover")
            self._power.stop()
        except OSError as error:
            return f"no core dump: {reason(error)}"
        except RemoteprocError as error:
            self._remarks.append(str(error))
        return "; ".join(self._coredumps.save(self._container)) or "the driver gave no core dump"

    def remarks(self) -> Sequence[str]:
        """Return what operators should know and no error or ending says, once."""
        found, self._remarks = self._remarks, []
        return found + self._console.remarks()

    def watch(self) -> Sequence[int]:
        return self._console.descriptors()
