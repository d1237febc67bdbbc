"""The boards of `machine: generic` run under the QEMU of Debian 13, too."""

import os
import subprocess

import pytest

from adapters.sim.board_file import load_board
from adapters.sim.sim_board import SimBoard
from domain.annotations import ProcessorOptions
from domain.processor import CRASHED, OFFLINE, RUNNING
from tests.firmware_images import image_of
from tests.small_firmware import ARM, Target, build, reading_nothing
from tests.unit.sim.conftest import FIRMWARE
from tests.unit.sim.helpers import ended, follow, run
from tests.unit.sim.test_boards import TARGETS as BOARDS
from tests.unit.sim.test_boards import cmsdk
from tests.unit.sim.test_generic import TARGETS

BUILD = os.path.join(os.path.dirname(__file__), "build")


@pytest.fixture(scope="module")
def newer():
    """Return the directory of the program."""
    done = subprocess.run([BUILD, "debian13-qemu"], stdout=subprocess.PIPE, text=True, check=True)
    directory = f"{done.stdout.strip()}/bin"
    version = subprocess.run(
        [f"{directory}/qemu-system-arm", "--version"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert int(version.split("version ")[1].partition(".")[0]) >= 10
    return directory


@pytest.fixture
def launch(newer, tmp_path, monkeypatch):
    """Return a function that starts a file on a board; all is released at the end."""
    monkeypatch.setenv("PATH", f"{newer}:{os.environ['PATH']}")
    started = []

    def launch(name, path, console="trace"):
        board = SimBoard(load_board(name), str(tmp_path / "boards" / os.path.basename(path)))
        processor = board.open("remoteproc0", ProcessorOptions(console=console))
        started.append(processor)
        run(processor, image_of(path))
        return processor

    yield launch
    for processor in started:
        processor._rproc.reset()
        processor._lock.release()


@pytest.fixture
def start(launch, tmp_path):
    """Return a function that starts a program that it builds for a board."""
    return lambda target, program: launch(target.board, build(target, program, str(tmp_path)))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.board)
def test_output_input_trace_stop_and_exit(start, newer, target):
    processor = start(target, "quit")
    assert follow(processor, ended) == (f"hello from {target.board}\n".encode(), OFFLINE)
    assert processor.firmware_exit().status == 7
    assert [text for text in processor.remarks() if "confined less" in text] == []

    processor = start(target, "echo")
    follow(processor, lambda output, _: output.endswith(b"\n"))
    assert newer.removesuffix("/bin") in _command_line(processor._rproc.execution)
    processor.console.write_input(b"abc")
    follow(processor, lambda output, _: output == b"abc")
    processor.stop()

    processor = start(target, "trace")
    follow(processor, lambda output, _: b"hello" in output and b"trace" in output)
    assert processor.state() == RUNNING

    if target.board != "zynqmp-r5":  # whose core has no lockup
        assert follow(start(target, "crash"), ended)[1] == CRASHED


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.board)
def test_a_read_of_nothing_is_told_with_its_address(start, target):
    processor = start(reading_nothing(target), "hello")
    said = []

    def told(*_):
        said.extend(processor.remarks())
        return any("the firmware reads 4 bytes at 0xf8000000" in words for words in said)

    follow(processor, told)


@pytest.mark.parametrize("board", ["stm32mp1-m4", "imx8mp-m7"])
def test_firmware_speaks_rpmsg(launch, board):
    processor = launch(board, f"{FIRMWARE}/build/{board}/rpmsg_echo.elf", "rpmsg")
    follow(processor, lambda *_: processor.console.write_input(b"over rpmsg") == 10)
    follow(processor, lambda output, _: output == b"over rpmsg")
    assert [text for text in processor.remarks() if "confined less" in text] == []


R52 = f"{ARM} -mcpu=cortex-r52 -mfloat-abi=soft"
STOCK = [
    *(target for target in BOARDS if target.compiler.startswith(ARM)),
    Target("mps3-an536", R52, 0x20000000, 0x20002000, cmsdk(0xE7C00000)),
]


@pytest.mark.parametrize("target", STOCK, ids=lambda target: target.board)
def test_qemus_own_boards_run_firmware(start, target):
    processor = start(target, "quit")
    assert follow(processor, ended) == (f"hello from {target.board}\n".encode(), OFFLINE)
    assert processor.remarks() == []


def _command_line(execution):
    with open(f"/proc/{execution.pid}/cmdline") as file:
        return file.read()
