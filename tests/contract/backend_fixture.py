"""Boards that the contract tests of domain.ports.Board and Processor run on, with their firmware.

A new backend gets a class that derives from `BackendFixture`, and a line in `backends`; the tests
are the same for all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from adapters.sim.board_file import load_board, parse_board
from adapters.sim.processor import open_processor
from adapters.sim.sim_board import SimBoard
from bootstrap.settings import Settings
from domain.annotations import ProcessorOptions
from domain.firmware import FirmwareImage
from domain.ports import Board, Claim, OpenArgs, Processor
from domain.processor import FirmwareExit
from tests.contract.children import child, kill
from tests.fakes.board import FakeBoard, Program
from tests.firmware_images import image_of

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware" / "build" / "cortex-m3"


class BackendFixture:
    """A board whose first processors are off and run firmware/'s programs.

    Not every backend can do all; these say why, and the tests then check what is promised instead.
    `no_status`: no exit code of firmware is reported. `no_input`: firmware gets no input.
    `no_last_words`: what firmware prints right before it ends may be lost. `no_output`: firmware
    prints nothing. `no_pause`: no processor can be paused.
    """

    board: Board
    no_status = ""
    no_input = ""
    no_last_words = ""
    no_output = ""
    no_pause = ""

    def image(self, program: str) -> FirmwareImage:
        """Return one of firmware/'s programs, `hello`, for the first processor."""
        raise NotImplementedError

    def settings(self, settings: Settings) -> Settings:
        """Return the settings, changed so that the programs use this board."""
        raise NotImplementedError

    def snapshot(self) -> object:
        """Return all that an owner may change, to be compared later."""
        return self.board.processors()

    def reopen(self, args: OpenArgs) -> Processor:
        """Open as another process does, from what `open_args` returned."""
        raise NotImplementedError

    def plant(self, step: str, errno: str) -> Board:
        """Return a board of this backend whose first processor fails to `start` or to `stop`."""
        raise NotImplementedError

    def mend(self) -> None:
        """Undo `plant`."""

    def close(self) -> None:
        """Remove the board."""

    def open(self, number: int = 0, program: str = "hello") -> Processor:
        """Open the nth processor, which is to run the program.

        The processor is opened from its open_args, encoded as JSON and decoded again.
        """
        device = self.board.processors()[number].device
        args = json.loads(json.dumps(self.board.open_args(device, ProcessorOptions())))
        return self.reopen(self.args_for(args, program))

    def args_for(self, args: OpenArgs, program: str) -> OpenArgs:
        """Change the arguments where the processor, not the program, must do what is expected."""
        return args

    def dead_owner(self, program: str, up_to: str) -> Claim:
        """Let a process do all steps up to that one and die; return the claim of that process."""
        raise NotImplementedError


class FakeBackendFixture(BackendFixture):
    """In memory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.board = FakeBoard(
            "m4",
            "m7",
            programs={
                "hello.elf": Program(b"hello from nowhere\n"),
                "exit.elf": Program(b"exit\n", FirmwareExit(False, 7, "exit code 7")),
                "crash.elf": Program(b"crash\n", FirmwareExit(True, None, "lockup")),
                "echo.elf": Program(b"> ", None, lambda line: b"you said: " + line),
            },
            fits=lambda image: Path(image.path).read_bytes().startswith(b"\x7fELF"),
        )

    def image(self, program: str) -> FirmwareImage:
        path = self._directory / f"{program}.elf"
        path.write_bytes(b"\x7fELF " + program.encode())
        return image_of(path)

    def reopen(self, args: OpenArgs) -> Processor:
        assert isinstance(self.board, FakeBoard)
        return self.board.open_from_args(args)

    def plant(self, step: str, errno: str) -> Board:
        import errno as numbers

        from domain.errors import ProcessorFault

        assert isinstance(self.board, FakeBoard)
        fault = ProcessorFault(f"cannot {step}", errno=getattr(numbers, errno))
        self.board.cores[0].faults[step] = fault
        return self.board

    def mend(self) -> None:
        assert isinstance(self.board, FakeBoard)
        self.board.cores[0].faults.clear()

    def dead_owner(self, program: str, up_to: str) -> Claim:
        return walk(self.open(), self.image(program), up_to)


class SimBackendFixture(BackendFixture):
    """Four Cortex-M3 in QEMU."""

    shipped = "quad"
    keys = (
        "core: cortex-m3, machine: mps2-an385, "
        "memory: [{name: code, address: 0, size: 4M}, {name: data, address: 0x20000000, size: 4M}]"
    )

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._boards = f"{directory}/run/boards"
        self.board = SimBoard(load_board(self.shipped), self._boards)

    def image(self, program: str) -> FirmwareImage:
        return image_of(FIRMWARE / f"{program}.elf")

    def settings(self, settings: Settings) -> Settings:
        return settings._replace(
            backend="sim", board=self.shipped, run_directory=os.path.dirname(self._boards)
        )

    def reopen(self, args: OpenArgs) -> Processor:
        return open_processor(args)

    def plant(self, step: str, errno: str) -> Board:
        text = f"processors: [{{name: faulty, {self.keys}, faults: {{{step}-error: {errno}}}}}]"
        spec = parse_board(text, os.fspath(self._directory / "faulty.yaml"))
        return SimBoard(spec, self._boards)

    def dead_owner(self, program: str, up_to: str) -> Claim:
        return die(lambda: walk(self.open(), self.image(program), up_to))


class IdleBackendFixture(SimBackendFixture):
    """Four processors that execute nothing; injected faults end them."""

    no_input = no_output = "nothing is executed"
    shipped = "idle"
    keys = "core: none"
    _FAULTS: Mapping[str, Mapping[str, float]] = {
        "exit": {"end_after": 0.1, "exit_code": 7},
        "crash": {"crash_after": 0.1},
    }

    def args_for(self, args: OpenArgs, program: str) -> OpenArgs:
        args["spec"]["faults"].update(self._FAULTS.get(program, {}))
        return args


def walk(processor: Processor, firmware: FirmwareImage, up_to: str) -> Claim:
    """Check, plan, load, start and stop, up to that step; return the claim."""
    processor.check(firmware)
    claim = processor.plan_claim("c1", firmware)
    if up_to != "plan_claim":
        processor.load(claim, firmware)
        if up_to != "load":
            processor.start()
            if up_to == "stop":
                processor.stop()
    return claim


def die(function: Callable[[], Claim]) -> Claim:
    """Call the function in a process, which is then killed; return the claim."""
    reader, writer = os.pipe()

    def body(ready: Callable[[], None]) -> None:
        os.write(writer, json.dumps(dict(function())).encode())
        ready()

    try:
        with child(body) as pid:
            kill(pid)
        claim: Claim = json.loads(os.read(reader, 1 << 16))
        return claim
    finally:
        os.close(reader)
        os.close(writer)
