"""Simulated boards in temporary directories, and the sample firmware to run on them."""

import contextlib
import fcntl
import os
import subprocess

import pytest

from adapters.sim.board_file import load_board, parse_board
from adapters.sim.sim_board import SimBoard
from domain.annotations import ProcessorOptions
from tests.firmware_images import image_of

FIRMWARE = os.path.join(os.path.dirname(__file__), "..", "..", "..", "firmware")


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """Build the sample firmware of all targets, and the library; return the former's directory."""
    lock = os.path.join(tmp_path_factory.getbasetemp().parent, "firmware.lock")
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for place in (FIRMWARE, f"{FIRMWARE}/../generic-machine"):
            subprocess.run(["make", "-s", "-C", place], check=True)
    return os.path.realpath(os.path.join(FIRMWARE, "build"))


@pytest.fixture
def image(samples):
    """Return a function that makes the image of a sample, or of the file at a path."""

    def image(program, target="cortex-m3"):
        path = os.fspath(program)
        if "/" not in path:
            path = f"{samples}/{target}/{program}.elf"
        return image_of(path)

    return image


@pytest.fixture
def make_board(tmp_path):
    """Make a board: a shipped one, or one Cortex-M3 with further keys given as YAML lines."""

    def make_board(name="cortex-m3", extra=""):
        spec = load_board(name)
        if extra:
            with open(spec.path) as file:
                text = file.read() + "".join(f"    {line}\n" for line in extra.splitlines())
            path = tmp_path / "board.yaml"
            path.write_text(text)
            spec = parse_board(text, str(path))
        return SimBoard(spec, str(tmp_path / "run"))

    return make_board


@pytest.fixture
def opened(make_board):
    """Open the first processor of a board; all that were opened are released at the end."""
    with contextlib.ExitStack() as stack:

        def opened(board="cortex-m3", extra="", device="remoteproc0", options=None):
            made = board if isinstance(board, SimBoard) else make_board(board, extra)
            processor = made.open(device, options or ProcessorOptions())
            stack.callback(lambda: processor._lock.release())
            stack.callback(processor._rproc.reset)
            return processor

        yield opened
