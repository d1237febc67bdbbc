"""The backends whose processors are the kernel's, or are shown as the kernel shows them.

`simfs` is a board that remoteproc-sim shows as the kernel shows a real one. `kernel` is for the
guests of tests/board: their kernel's processors execute nothing, so a FirmwarePlayer does what the
firmware would do.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from adapters.sysfs.board import SysfsBoard
from adapters.sysfs.processor import open_processor
from bootstrap.settings import Settings
from domain.firmware import FirmwareImage
from domain.ports import Board, Claim, OpenArgs, Processor
from features.backends import firmware_player
from tests.contract.backend_fixture import FIRMWARE, BackendFixture, die, walk
from tests.firmware_images import image_of
from tests.simulator import CHECKOUT, Simulator

QUAD = Path(CHECKOUT) / "adapters" / "sim" / "boards" / "quad.yaml"
_KEPT = ("state", "firmware", "recovery", "coredump")


class SysfsBackendFixture(BackendFixture):
    """The processors under `root`, by the adapter for sysfs."""

    no_status = "the kernel has no place for an exit code"
    no_input = "a trace buffer has no way back; for a tty see the tests of TtyConsole"
    no_pause = "the kernel has no way to freeze a processor"
    no_last_words = "a trace buffer goes with the firmware that ends, if not that which crashes"

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.board = SysfsBoard(root)

    def settings(self, settings: Settings) -> Settings:
        return settings._replace(backend="sysfs", tree=self.root or "/")

    def reopen(self, args: OpenArgs) -> Processor:
        return open_processor(args)

    def dead_owner(self, program: str, up_to: str) -> Claim:
        return die(lambda: walk(self.open(), self.image(program), up_to))

    def snapshot(self) -> object:
        return self.published(), {
            (info.device, attribute): self.read(info.device, attribute)
            for info in self.board.processors()
            for attribute in _KEPT
        }

    def published(self) -> list[str]:
        """Return the firmware files of owners in the directory where the kernel finds them."""
        place = f"{self.root}/lib/firmware/remoteproc-runtime"
        return sorted(os.listdir(place)) if os.path.isdir(place) else []

    def read(self, device: str, attribute: str) -> str:
        """Return an attribute of a processor as it is."""
        return Path(f"{self.root}/sys/class/remoteproc/{device}/{attribute}").read_text()

    def plant(self, step: str, errno: str) -> Board:
        self.set_fault(step, errno)
        return self.board

    def mend(self) -> None:
        for step in ("start", "stop"):
            self.set_fault(step, "")

    def set_fault(self, step: str, word: str) -> None:
        """Make the first processor fail to do the step, with that errno; `` ends the fault."""
        raise NotImplementedError


class SimfsBackendFixture(SysfsBackendFixture):
    """The same board as SimBackendFixture's, mounted anew for each test."""

    def __init__(self, _: Path) -> None:
        self._simulator = Simulator(board=QUAD.read_text())
        super().__init__(self._simulator.root)

    def image(self, program: str) -> FirmwareImage:
        traced = FIRMWARE / f"{program}-traced.elf"
        return image_of(traced if traced.exists() else FIRMWARE / f"{program}.elf")

    def set_fault(self, step: str, word: str) -> None:
        device = self.board.processors()[0].device
        path = f"{self.root}/sys/kernel/debug/remoteproc-sim/{device}/{step}_error"
        Path(path).write_text(word or "0")

    def die(self) -> None:
        """Kill the simulator: the board is gone, as when a machine loses its power."""
        self._simulator.process.kill()
        self._simulator.process.wait()

    def close(self) -> None:
        self._simulator.__exit__()


class KernelBackendFixture(SysfsBackendFixture):
    """The processors of the guest that the tests run in."""

    _BEHAVIOURS: Mapping[str, str] = {
        "hello": "prints and runs on",
        "exit": "ends by itself",
        "crash": "crashes",
    }

    def __init__(self, directory: Path) -> None:
        super().__init__("/")
        self._directory = directory
        self._player = firmware_player.FirmwarePlayer(
            [info.name for info in self.board.processors()]
        )

    def image(self, program: str) -> FirmwareImage:
        path = self._directory / f"{program}.elf"
        behaviour = self._BEHAVIOURS.get(program, "ignores all messages")
        path.write_bytes(firmware_player.firmware(behaviour))
        return image_of(path)

    def set_fault(self, step: str, word: str) -> None:
        device = self.board.processors()[0].device
        path = f"{self.root}/sys/class/remoteproc/{device}/device/{step}_errno"
        Path(path).write_text(str(getattr(errno, word) if word else 0))

    def close(self) -> None:
        self._player.close()
