"""One processor of the kernel; implements domain.ports.Processor."""

from __future__ import annotations

from adapters.linux.view import Place
from adapters.sysfs.announcements import Announcements
from adapters.sysfs.attributes import Attributes
from adapters.sysfs.cdev import ShutdownOnRelease
from adapters.sysfs.claim import ProcessorClaims, may_take
from adapters.sysfs.coredump import Coredumps
from adapters.sysfs.crash_dump import CrashDump
from adapters.sysfs.kmsg import KmsgReader, crash_type, tells_stop
from adapters.sysfs.policy import Policy
from adapters.sysfs.power import Power, is_off
from adapters.sysfs.preflight import check_firmware
from adapters.sysfs.search_path import SearchPath
from adapters.sysfs.sysfs_console import SysfsConsole
from adapters.sysfs.tty import TtyConsole
from domain.annotations import ProcessorOptions
from domain.errors import WrongState
from domain.firmware import FirmwareImage
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
    from collections.abc import Iterator, Sequence

    from adapters.sysfs.recovery import KernelRecovery
    from domain.ports import Claim, OpenArgs

_REMOVED_WITHIN = 0.3  # seconds from the stop by a driver that is removed to the processor's end
_STOPPED_ELSEWHERE = "it ended by itself, or somebody else stopped it"
_REMOVED = FirmwareExit(crashed=True, reason="its driver was removed")
_HELD = ("state", "firmware", "recovery", "coredump")  # what is needed to undo a claim
_BOOT_LOADER = (ATTACHED, DETACHED)


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
        self._attributes = Attributes(path, require_sysfs=not root)
        self._device = device
        self._name = self._attributes.printable("name") or device
        self._options = options
        self._policy = policy
        self._log = KmsgReader(f"{root}/dev/kmsg", device, self._name)
        self._announcements = Announcements(self._log, policy.poll_seconds)
        self._power = Power(self._name, self._attributes, self._log, policy.start_retries)
        search = SearchPath(root, directory)
        self._claims = ProcessorClaims(device, self._name, self._attributes, self._power, search)
        self._cdev = ShutdownOnRelease(f"{root}/dev/{device}")
        self._coredumps = Coredumps(root, path, policy.coredumps)
        named = "" if options.console == "rpmsg" else options.console
        tty = TtyConsole(root, path, named, policy.consoles.get(named, 0))
        debug = f"{root}/sys/kernel/debug/remoteproc/{device}"
        self._console = SysfsConsole(options.console, self._name, debug, tty, policy.poll_seconds)
        self._crash_dump = CrashDump(self._coredumps, self._attributes, self._power, self._console)
        self._container = ""
        self._claim: Claim = {}  # the claim of the firmware that this object loaded
        self._remarks: list[str] = []
        self._recovery: KernelRecovery | None = None
        if options.recovery == "kernel":  # others do without the module
            from adapters.sysfs.recovery import KernelRecovery

            self._recovery = KernelRecovery(self._name, self._attributes, self._log)
        self._started = False

    def __del__(self) -> None:
        """Close all files: a server opens many processors and drops them."""
        if hasattr(self, "_started"):
            self._close()

    def _close(self) -> None:
        self._announcements.end()
        self._attributes.close()
        self._claims.close()
        self._log.close()
        self._console.close()
        self._crash_dump.close()
        self._started = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def device(self) -> str:
        return self._device

    @property
    def poll_seconds(self) -> float | None:
        return self._announcements.poll_seconds

    @property
    def console(self) -> SysfsConsole:
        return self._console

    @property
    def freezer(self) -> None:
        return None  # the kernel has no way to freeze a processor

    def check(self, firmware: FirmwareImage) -> None:
        """Check the firmware by the processor's policy, and that a file can be published."""
        if self._options.attached == "keep":
            return
        if warning := check_firmware(firmware, self._policy, self._path, self._name):
            self._remarks.append(warning)
        self._claims.check()

    def plan_claim(self, container: str, firmware: FirmwareImage) -> Claim:
        self._container = container
        return self._claims.plan(container, firmware, self._options)

    def load(self, claim: Claim, firmware: FirmwareImage) -> None:
        """Publish the firmware and set its name; stop what the boot loader started if so asked.

        Raises WrongState if there is nothing to keep.
        """
        state = self._attributes.state()
        if self._options.attached == "keep" and state not in _BOOT_LOADER:
            raise WrongState(
                f"processor {self._name} is {state}: nothing runs there to attach to",
                hint="leave out the annotation remoteproc.attached to run the image's firmware",
            )
        self._attributes.hold(*_HELD)
        self._claim = claim
        self._log.open()
        self._claims.apply(claim, firmware)

    def start(self) -> None:
        """Start or attach; return when the state says that the processor runs."""
        state = self._attributes.state()
        # If another program runs the processor, the device is left alone: our close of it would
        # stop that program's firmware.
        if state == OFFLINE or self._options.attached == "keep":
            self._cdev.acquire()
        if self._options.attached != "keep":
            self._remarks += self._power.start()
        elif state == DETACHED:
            self._power.attach()
        self._started = True
        if not self._recovery:  # else each turn looks for what recovery does
            self._announcements.begin()
        if not is_off(self._attributes.state()):  # else the firmware has ended already
            self._console.open()

    def stop(self) -> None:
        """Stop, or detach from firmware that was kept running."""
        if self._crash_dump.busy:  # it is off already
            self._crash_dump.abort()
        elif self._options.attached == "keep":
            if not self._power.detach():
                self._remarks.append(f"{self._name} stays attached: its driver cannot detach")
        else:
            self._power.stop_running()

    def release(self, claim: Claim) -> None:
        """Undo the claim, and close /dev/remoteprocN last."""
        self._claims.undo(claim)
        if self._claim not in ({}, claim):
            return  # the open files are for the firmware of another claim
        self._claim = {}
        # If another program runs the processor by now, the flag is that program's.
        if self._cdev.held or is_off(self._attributes.state()):
            self._cdev.release()
        self._remarks += self._claims.put_back(claim)
        self._close()

    def state(self) -> ProcessorState:
        """Return the kernel's state, but `running` during recovery, and while a dump is saved."""
        self._announcements.take()
        state = self._attributes.state()
        if not self._started:
            return state
        if self._log.logged_only and not state.ended:
            return CRASHED
        if not self._recovery:
            return self._with_dump(state)
        state = self._recovery.state()
        self._save_dumps(self._recovery)
        return state

    def available(self) -> bool:
        """Whether it is off, or the container may have what runs there."""
        state = self._attributes.state()
        return state.startable or may_take(state, self._options.attached)

    def _with_dump(self, state: ProcessorState) -> ProcessorState:
        """Return `crashed` once the dump of a crash is saved, and `running` until then."""
        dump = self._crash_dump
        if dump.busy:
            dump.step()
        elif not dump.result and state.crashed and self._options.coredump == "enabled":
            self._begin_dump()
        if dump.busy:
            return RUNNING
        return CRASHED if dump.result and state != DELETED else state

    def _begin_dump(self) -> None:
        self._crash_dump.begin(self._container, only_attached=self._options.attached == "keep")

    def _save_dumps(self, recovery: KernelRecovery) -> None:
        if self._options.coredump != "enabled":
            return
        if not self._coredumps.busy and recovery.dump_expected:
            self._coredumps.begin(self._container)
        self._coredumps.step()
        self._remarks += self._coredumps.remarks()

    def firmware_exit(self) -> FirmwareExit:
        """Return why it ended, by the kernel's log, and where its core dump is, if enabled."""
        state = self._attributes.state()
        if state == DELETED:
            return _REMOVED
        why, stopped = self._log.logged_only, False
        if self._recovery and self._recovery.failed:
            why = "the kernel has not recovered it"
        elif self._recovery and self._recovery.stopped:
            stopped = True
        elif not why:
            messages = self._log.last_words(crashed=state.crashed)
            why = crash_type(messages)
            stopped = any(map(tells_stop, messages))
        dump = self._crash_dump
        if state.crashed and self._options.coredump == "enabled" and not dump.result:
            self._begin_dump()  # the caller has not waited for the state
        dump.finish()
        if dump.result:
            why = f"{why}; {dump.result}" if why else dump.result
        if state.crashed or why:
            return FirmwareExit(crashed=True, reason=why)
        if not stopped:
            return FirmwareExit(crashed=False)
        if self._attributes.is_removed_within(_REMOVED_WITHIN):
            return _REMOVED
        return FirmwareExit(crashed=False, reason=_STOPPED_ELSEWHERE)

    def later_places(self) -> Iterator[Place]:
        """Yield what is used once the firmware runs, beside what is open by then."""
        yield Place(self._cdev.path, writable=True)
        yield from self._console.later_places()
        if self._options.coredump == "enabled":
            yield from self._coredumps.later_places()

    def remarks(self) -> Sequence[str]:
        """Return, once, the messages for the operator that no error and no exit reason has."""
        found, self._remarks = self._remarks, []
        if self._recovery:
            found = self._recovery.remarks() + found
        return found + self._crash_dump.remarks() + self._console.remarks()

    def watch(self) -> Sequence[int]:
        parts = (self._announcements, self._console, self._crash_dump)
        return [descriptor for part in parts for descriptor in part.descriptors()]
