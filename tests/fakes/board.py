"""A board in memory, whose processors run `Program`s or follow a script of states."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from adapters.images.digest import check_copy, sha256
from domain.annotations import ProcessorOptions
from domain.errors import FirmwareUnfit, NotFound, ProcessorFault, RemoteprocError
from domain.firmware import FirmwareImage
from domain.ports import Claim, OpenArgs
from domain.processor import (
    CRASHED,
    DELETED,
    OFFLINE,
    RUNNING,
    SUSPENDED,
    FirmwareExit,
    ProcessorInfo,
    ProcessorState,
)


class Program(NamedTuple):
    """What firmware prints, its exit (None: it runs on), and what it replies to input."""

    output: bytes = b""
    exit: FirmwareExit | None = None
    reply: Callable[[bytes], bytes] = lambda _: b""


class FakeCore:
    """The hardware, shared by all FakeProcessors that open it.

    `script` holds the states that the next looks show, whatever is done meanwhile.
    """

    def __init__(self, name: str, device: str) -> None:
        self.name = name
        self.device = device
        self.power = OFFLINE
        self.loaded = ""
        self.program = Program()
        self.exit = FirmwareExit(crashed=False)
        self.output = b""
        self.script: list[str] = []
        self.faults: dict[str, RemoteprocError] = {}
        self.done: list[str] = []

    def do(self, verb: str) -> None:
        """Record in `done` that the verb was carried out, or raise the fault that is set for it."""
        if verb in self.faults:
            raise self.faults[verb]
        self.done.append(verb)

    def look(self) -> ProcessorState:
        """Return the state now."""
        if self.script:
            self.power = ProcessorState(self.script.pop(0))
        elif self.power == RUNNING and self.program.exit:
            self.exit = self.program.exit
            self.power = CRASHED if self.exit.crashed else OFFLINE
        return self.power


class FakeProcessor:
    """Implements domain.ports.Processor, Console and Freezer."""

    poll_seconds: float | None = 0.01

    def __init__(self, core: FakeCore, programs: Mapping[str, Program], fits: Fits) -> None:
        self.core = core
        self._programs = programs
        self._fits = fits

    @property
    def name(self) -> str:
        return self.core.name

    @property
    def device(self) -> str:
        return self.core.device

    def state(self) -> ProcessorState:
        return self.core.look()

    def available(self) -> bool:
        return self.core.look().startable

    @property
    def console(self) -> FakeProcessor:
        return self

    @property
    def freezer(self) -> FakeProcessor | None:
        return self

    def check(self, firmware: FirmwareImage) -> None:
        self.core.do("check")
        if not self._fits(firmware):
            raise FirmwareUnfit(f"{firmware.name} is no ELF file")

    def plan_claim(self, container: str, firmware: FirmwareImage) -> Claim:
        """Name the firmware file that `load` is going to publish."""
        self.core.do("plan_claim")
        return {"firmware": f"{container}-{os.path.basename(firmware.name)}"}

    def _fault(self, verb: str, number: int) -> ProcessorFault:
        return ProcessorFault.cannot(verb, self.name, f"it is {self.core.power}", errno=number)

    def load(self, claim: Claim, firmware: FirmwareImage) -> None:
        self.core.do("load")
        if not self.core.look().startable:
            raise self._fault("load", errno.EBUSY)
        if os.path.exists(firmware.path):  # the image of most tests exists in memory only
            digest = sha256(firmware.size)
            with open(firmware.path, "rb") as file:
                digest.update(file.read())
            check_copy(firmware, digest)
        self.core.loaded = claim["firmware"]
        self.core.program = self._programs.get(os.path.basename(firmware.name), Program())

    def start(self) -> None:
        self.core.do("start")
        if not self.core.look().startable:
            raise self._fault("start", errno.EBUSY)
        self.core.exit = FirmwareExit(crashed=False)
        self.core.power = RUNNING
        self.core.output += self.core.program.output

    def stop(self) -> None:
        self.core.do("stop")
        if self.core.power.startable:
            raise self._fault("stop", errno.EINVAL)
        self.core.power = OFFLINE

    def release(self, claim: Claim) -> None:
        """Stop what this claim runs, and forget its firmware."""
        self.core.do("release")
        if not claim["firmware"] or self.core.loaded != claim["firmware"]:
            return
        if self.core.power != DELETED:
            self.core.power = OFFLINE
        self.core.loaded = ""

    def pause(self) -> None:
        self.core.do("pause")
        if self.core.power == RUNNING:
            self.core.power = SUSPENDED

    def resume(self) -> None:
        self.core.do("resume")
        if self.core.power == SUSPENDED:
            self.core.power = RUNNING

    def firmware_exit(self) -> FirmwareExit:
        return self.core.exit

    def watch(self) -> Sequence[int]:
        return ()

    def read_output(self) -> bytes:
        data, self.core.output = self.core.output, b""
        return data

    def remarks(self) -> Sequence[str]:
        return ()

    def write_input(self, data: bytes) -> int:
        if self.core.power == RUNNING:
            self.core.output += self.core.program.reply(data)
        return len(data)


Fits = Callable[[FirmwareImage], bool]


class UnpausableProcessor(FakeProcessor):
    """A processor that cannot be paused, as none of the kernel's can."""

    @property
    def freezer(self) -> None:
        return None


class FakeBoard:
    """Implements domain.ports.Board. `programs`: what firmware of a file name does."""

    def __init__(
        self,
        *names: str,
        programs: Mapping[str, Program] | None = None,
        fits: Fits = lambda _: True,
        kind: type[FakeProcessor] = FakeProcessor,
    ) -> None:
        self.cores = [FakeCore(name, f"remoteproc{number}") for number, name in enumerate(names)]
        self._programs = programs or {}
        self._fits = fits
        self._kind = kind

    def core(self, device: str) -> FakeCore:
        """Return the hardware. Raises NotFound."""
        for core in self.cores:
            if core.device == device:
                return core
        raise NotFound(f"there is no processor {device}")

    def processors(self) -> list[ProcessorInfo]:
        return [ProcessorInfo(c.name, c.device, c.look(), c.loaded) for c in self.cores]

    def open(self, device: str, options: ProcessorOptions) -> FakeProcessor:
        return self._kind(self.core(device), self._programs, self._fits)

    def open_args(self, device: str, options: ProcessorOptions) -> OpenArgs:
        return {"device": self.core(device).device, "options": options._asdict()}

    def reclaim(self, device: str, claim: Claim) -> None:
        """Undo a claim, also on a core that has gone."""
        if any(core.device == device for core in self.cores):
            self.open(device, ProcessorOptions()).release(claim)

    def open_from_args(self, args: OpenArgs) -> FakeProcessor:
        """Open a processor from what `open_args` returned."""
        return self.open(args["device"], ProcessorOptions(**args["options"]))
