"""Firmware on simulated boards speaks rpmsg, and the runtime is Linux' side of it."""

import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from adapters.sim.board_file import load_board, parse_board
from domain.annotations import ProcessorOptions
from domain.elf import read_elf
from domain.errors import FirmwareUnfit, InvalidRequest
from domain.processor import CRASHED, OFFLINE, RUNNING
from tests.unit.sim.conftest import FIRMWARE
from tests.unit.sim.helpers import ended, follow, run, watch

BOARDS = pytest.mark.parametrize("board", ["stm32mp1-m4", "imx8mp-m7"])
ALL = pytest.mark.parametrize(
    "board", ["stm32mp1-m4", "imx8mp-m7", "imx93-m33", "stm32mp2-m33", "am62-m4f"]
)
MESSAGES = 10_000
HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def started(opened, make_board, image):
    """Run firmware on a board, whose console is the rpmsg tty."""

    def started(board, console="rpmsg", program="rpmsg_echo"):
        processor = opened(make_board(board), options=ProcessorOptions(console=console))
        run(processor, image(program, board))
        return processor

    return started


@BOARDS
def test_all_messages_come_back_in_order(started, board):
    processor = started(board)
    waiting = [f"message {number}\n".encode() for number in range(MESSAGES)]
    expected = b"".join(waiting)
    waiting.reverse()

    def enough(output, state):
        while waiting and processor.console.write_input(waiting[-1]):
            waiting.pop()
        assert state == RUNNING
        return len(output) == len(expected)

    output, _ = follow(processor, enough, 120)
    assert output == expected
    processor.stop()
    assert processor.state() == OFFLINE


@ALL
def test_a_long_input_is_cut_into_messages(started, board):
    processor, data = started(board), bytes(range(256)) * 20
    left = data

    def enough(output, _):
        nonlocal left
        left = left[processor.console.write_input(left) :] if left else left
        return len(output) == len(data)

    assert follow(processor, enough)[0] == data


@ALL
def test_the_announced_channel_is_told_and_the_uart_is_shown_without_the_annotation(started, board):
    processor = started(board, "trace")
    follow(processor, lambda output, _: output == f"rpmsg_echo from {board}\n".encode())
    words, _ = watch(processor, lambda said, _: len(said) > 1)
    assert "simulated registers" in words[0]
    name = load_board(board).processors[0].name
    assert words[1] == f"{name}: rpmsg: creating channel rpmsg-tty addr 0x401"


@ALL
def test_the_table_is_filled_in_as_the_kernel_does(started, board, samples):
    processor = started(board)
    watch(processor, lambda said, _: len(said) > 1)
    with open(f"{samples}/{board}/rpmsg_echo.elf", "rb") as file:
        at = read_elf(file.read()).resource_table_address
    table = processor._rproc.execution.read_memory(at, 20 + 28 + 40)
    _, _, notify, features, guest, _, status, count, *_ = struct.unpack_from("<6I4B", table, 20)
    vrings = list(struct.iter_unpack("<5I", table[48:]))
    mailbox = load_board(board).processors[0].mailbox
    assert mailbox
    assert (notify, features, guest, status, count) == (0, 1, 1, 7, 2)
    assert [(v[0], v[3]) for v in vrings] == [(mailbox.vrings[0], 0), (mailbox.vrings[1], 1)]


def test_other_firmware_runs_on_such_a_board_and_a_new_start_begins_anew(started):
    processor = started("stm32mp1-m4")
    follow(processor, lambda *_: processor.console.write_input(b"first") == 5)
    follow(processor, lambda output, _: output == b"first")
    before = len(os.listdir("/proc/self/fd"))
    for word in (b"second", b"third"):
        processor.stop()
        processor.start()
        follow(processor, lambda *_, word=word: processor.console.write_input(word) == len(word))
        follow(processor, lambda output, _, word=word: output == word)
    assert len(os.listdir("/proc/self/fd")) <= before
    processor.stop()


def test_input_for_firmware_without_rpmsg_is_dropped(started):
    processor = started("imx8mp-m7", program="hello")
    assert processor.console.write_input(b"x" * 5000) == 5000
    assert processor.state() == RUNNING


def test_the_console_rpmsg_has_no_effect_where_there_is_no_mailbox(make_board):
    processor = make_board("cortex-m3").open("remoteproc0", ProcessorOptions(console="rpmsg"))
    assert any("remoteproc.console = rpmsg has no effect" in each for each in processor.remarks())


# The first vring's address, alignment, buffers; the same of the second one; and what is said.
ANY = 0xFFFFFFFF
GOOD = (ANY, 16, 16)


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ((0x20000000, 16, 16), GOOD, "vring 0 at 0x20000000, of .* bytes, is in no memory"),
        ((0x1005FFF0, 16, 16), GOOD, "vring 0 at 0x1005fff0, of .* bytes, is in no memory"),
        (GOOD, (0xFFFFFFF0, 16, 16), "vring 1 at 0xfffffff0, of .* bytes, is in no memory"),
        ((ANY, 16, 0), GOOD, "vdev has a vring without buffers"),
        ((ANY, 16, 1 << 31), GOOD, "vring 0 has 2147483648 buffers, no power of 2 up to 1024"),
        (GOOD, (ANY, 16, 24), "vring 1 has 24 buffers, no power of 2 up to 1024"),
        ((0x10040008, 16, 16), GOOD, "vring 0 at 0x10040008 is not aligned to 16"),
        ((0x10040010, 4096, 16), GOOD, "vring 0 at 0x10040010 is not aligned to 4096"),
        ((ANY, 24, 16), GOOD, "vring 0 is aligned to 24, no power of 2"),
        ((ANY, 1 << 31, 16), GOOD, "vring 0 is aligned to 2147483648, no power of 2"),
        ((ANY, 16, 8), GOOD, "its vrings have 8 and 16 buffers"),
        ((0x10040000, 16, 16), (0x10040100, 16, 16), "overlaps: vrings, buffers or table"),
        ((0x10042100, 16, 16), GOOD, "overlaps: vrings, buffers or table"),
        ((0x10000000, 16, 16), GOOD, "overlaps: vrings, buffers or table"),
        ((ANY, 16, 32), (ANY, 16, 32), "the board has 16384 bytes for buffers, and 32 buffers"),
    ],
)
def test_a_resource_table_that_lies_is_refused_before_the_start(
    opened, image, samples, tmp_path, first, second, says
):
    with open(f"{samples}/stm32mp1-m4/rpmsg_echo.elf", "rb") as file:
        data = file.read()
    rings = struct.pack("<5I5I", *GOOD, 0, 0, *GOOD, 1, 0)
    assert data.count(rings) == 1
    bad = tmp_path / "bad.elf"
    bad.write_bytes(data.replace(rings, struct.pack("<5I5I", *first, 0, 0, *second, 1, 0)))
    with pytest.raises(FirmwareUnfit, match=says) as caught:
        opened("stm32mp1-m4").check(image(bad))
    assert "\n" not in str(caught.value)


@pytest.fixture
def build_vandal(tmp_path):
    def build_vandal(board, vandal):
        target = Path(FIRMWARE, board, "target.mk").read_text()
        (flags,) = re.findall("^flags_.* := (.*)", target, re.MULTILINE)
        (sources,) = re.findall("^sources_.* := (.*)", target, re.MULTILINE)
        program = tmp_path / "vandal.elf"
        compiler = f"arm-none-eabi-gcc {flags} -std=c11 -Os -ffreestanding -nostdlib"
        subprocess.run(
            [
                *compiler.split(),
                *f'-static -Wl,-n -D{vandal} -DTARGET="" -I. -I{board} -T {board}/link.ld'.split(),
                *("-fno-tree-loop-distribute-patterns", f"{HERE}/firmware/rpmsg_vandal.c"),
                *("print.c", *sources.split(), "-o", program),
            ],
            check=True,
            cwd=FIRMWARE,
        )
        return program

    return build_vandal


@BOARDS
def test_firmware_that_resets_in_the_middle_of_a_message_has_crashed(
    started, build_vandal, image, board
):
    processor = started(board, program=build_vandal(board, "RESETS"))
    watch(processor, ended)
    assert processor.state() == CRASHED
    assert "reset" in processor.firmware_exit().reason
    assert not any("rpmsg is off" in each for each in processor.remarks())
    processor.stop()
    run(processor, image("rpmsg_echo", board))
    follow(processor, lambda *_: processor.console.write_input(b"anew") == 4)
    follow(processor, lambda output, _: output == b"anew")


@pytest.mark.parametrize("vandal", ["SCRIBBLES", "RINGS"])
@BOARDS
def test_firmware_that_breaks_all_of_it_can_be_stopped(started, build_vandal, board, vandal):
    processor = started(board, program=build_vandal(board, vandal))
    if vandal == "SCRIBBLES":
        said, _ = watch(processor, lambda said, _: any("rpmsg is off" in each for each in said))
        assert sum("rpmsg is off" in each for each in said) == 1
    else:
        watch(processor, lambda said, _: any("creating channel" in each for each in said))
    for _ in range(100):
        processor.console.write_input(b"x" * 4000)
        assert processor.state() == RUNNING
    processor.stop()
    assert processor.state() == OFFLINE


BOARD = """
processors:
  - name: m4
    core: cortex-m4
    machine: generic
    memory: [{name: ram, address: 0, size: 128K}]
    generic: {interrupts: 150}
    mailbox: {kind: imx-mu, address: 0x30ab0000, irqs: [97], vrings: [0x4000, 0x8000], buffers: B}
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("imx-mu", "omap", "'omap'"),
        ("[97]", "[]", "irqs must be a list"),
        ("[97]", "[1, 2, 3]", "irqs must be one or two lines"),
        ("[97]", "[150]", "irqs: the core has 150 interrupts"),
        ("0x30ab0000", "0x30ab0001", "address 0x30ab0001 is no register"),
        ("0x30ab0000", "0xfffff004", "address 0xfffff004 is no register"),
        ("0x8000]", "0x8000, 0]", "vrings must be two addresses"),
        ("0x8000]", "0x20000]", "0x20000, for vrings or buffers, is in no memory"),
        ("size: 16K", "size: 0", "0x10000, for vrings or buffers, is in no memory"),
        ("size: 16K", "size: 1M", "0x10000, for vrings or buffers, is in no memory"),
        ("128K", "127K", "memory 'ram' is no multiple of 4K"),
        ("machine: generic", "machine: mps2-an386", "generic has no effect on another machine"),
        ("cortex-m4", "cortex-r5", "interrupts has no effect on cortex-r5"),
        ("vrings: [0x4000, 0x8000], ", "", "lacks the key 'vrings'"),
    ],
)
def test_a_mistake_in_a_mailbox_is_named(old, new, says):
    text = BOARD.replace("B}", "{address: 0x10000, size: 16K}}")
    assert parse_board(text, "own.yaml").processors[0].mailbox
    with pytest.raises(InvalidRequest, match=says):
        parse_board(text.replace(old, new), "own.yaml")
