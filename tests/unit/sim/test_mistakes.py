"""What QEMU and the processor's registers tell of firmware that goes wrong without a word."""

import os
import subprocess
import time

import pytest

from adapters.sim.qemu_errors import QemuErrors
from domain.processor import RUNNING
from tests.small_firmware import build, reading_nothing
from tests.unit.sim.helpers import ended, run, watch
from tests.unit.sim.test_boards import TARGETS as STOCK
from tests.unit.sim.test_generic import TARGETS as GENERIC

# `main` is what each test gives; the UART is that of mps2-an385.
SOURCE = """
#include <stdint.h>
#define REGISTER(address) (*(volatile uint32_t *)(address))
static void fault(void) { for (;;) ; }
static void print(void)
{
    REGISTER(0x40004010) = 16;
    REGISTER(0x40004008) = 1;
    REGISTER(0x40004000) = 'x';
}
static void reset(void) { (void)print; MAIN; for (;;) __asm__ volatile("wfi"); }
__attribute__((section(".vectors"), used)) static void *const vectors[16] =
    {(void *)0x20001000, reset, 0, FAULT};
"""
NOTHING = "REGISTER(0x303d0024)"


@pytest.fixture
def firmware(tmp_path, image):
    def firmware(main, fault="0", core="cortex-m3"):
        (tmp_path / "main.c").write_text(SOURCE)
        command = f"arm-none-eabi-gcc -mcpu={core} -mthumb -Os -nostdlib -o main.elf main.c".split()
        places = "-Wl,-n,-Ttext=0x100,--section-start=.vectors=0,-e,0"
        given = (f"-DMAIN={main}", f"-DFAULT={fault}")
        subprocess.run([*command, *given, places], check=True, cwd=tmp_path)
        return image(tmp_path / "main.elf")

    return firmware


def test_a_read_of_nothing_is_told_before_the_lockup_it_causes(opened, firmware):
    processor = opened()
    run(processor, firmware(f"(void){NOTHING}"))
    said, _ = watch(processor, ended)
    where = "where the simulated machine has nothing"
    assert said == [f"m3: the firmware reads 4 bytes at 0x303d0024, {where}"]
    assert processor.firmware_exit().reason.startswith("lockup at 0x")


@pytest.mark.parametrize("target", [*GENERIC, *STOCK], ids=lambda target: target.board)
def test_on_each_board_a_read_of_nothing_is_told_within_2_seconds_of_the_start(
    opened, image, tmp_path, target
):
    firmware = image(build(reading_nothing(target), "hello", str(tmp_path)))
    processor = opened(target.board)
    times: list[float] = []
    while min(times, default=9) > 2 and len(times) < 2:  # once more, if the host was busy
        run(processor, firmware)
        said, seconds = watch(processor, lambda said, _: any("0xf8000000" in s for s in said))
        assert any("the firmware reads 4 bytes at 0xf8000000" in s for s in said), said
        times.append(seconds)
        processor.stop()
    assert min(times) <= 2


def test_an_address_that_is_read_for_ever_is_named_and_then_qemu_says_no_more(
    opened, firmware, lm3s
):
    processor = opened(lm3s)
    run(processor, firmware(f"for (;;) (void){NOTHING}"))
    said, seconds = watch(processor, lambda said, _: any("again and again" in s for s in said))
    assert seconds < 10
    assert all("0x303d0024" in words for words in said) and len(said) == 2
    errors = processor._rproc.execution._errors
    deadline = time.monotonic() + 20
    while errors.receive():
        assert time.monotonic() < deadline
    for _ in range(20):
        assert "running" in processor._rproc.execution.monitor("info status")
    assert errors.receive() is None, "QEMU prints on"


@pytest.fixture
def lm3s(tmp_path):
    """A machine on which a read of nothing is no fault."""
    from adapters.sim.board_file import parse_board
    from adapters.sim.sim_board import SimBoard

    text = """
processors:
  - name: m3
    core: cortex-m3
    machine: lm3s6965evb
    memory: [{name: flash, address: 0, size: 256K}, {name: sram, address: 0x20000000, size: 64K}]
"""
    return SimBoard(parse_board(text, str(tmp_path / "lm3s.yaml")), str(tmp_path / "run"))


def test_a_fault_handler_that_spins_is_told_with_the_address_that_caused_the_fault(
    opened, firmware
):
    processor = opened(extra="options: [-d, int]")  # in place of our own: QEMU tells no access
    run(processor, firmware(f"(void){NOTHING}", fault="fault"))
    said, _ = watch(processor, lambda said, _: any("printed nothing" in s for s in said))
    assert "its HardFault handler, after an access to 0x303d0024" in said[-1]
    assert processor.state() == RUNNING


def test_a_register_that_is_polled_in_silence_is_remarked_once(opened, firmware):
    processor = opened()
    run(processor, firmware("while (!(REGISTER(0x40004004) & 2)) ;"))  # input that never comes
    said, _ = watch(processor, lambda said, _: said)
    assert len(said) == 1 and "printed nothing, and runs in a loop at 0x000001" in said[0]
    assert processor.poll_seconds is None


@pytest.mark.parametrize("main", ["print(); for (;;)", ""], ids=["prints", "sleeps"])
def test_who_prints_or_sleeps_is_left_alone(opened, firmware, main):
    processor = opened()
    run(processor, firmware(main or "(void)0"))
    deadline = time.monotonic() + 20
    said, _ = watch(processor, lambda *_: processor.poll_seconds is None)
    assert said == [] and time.monotonic() < deadline


def test_a_board_that_reads_nothing_while_it_is_reset_is_no_news(opened, image):
    processor = opened("cortex-m33")
    run(processor, image("exit", "cortex-m33"))
    assert watch(processor, ended)[0] == []


def _told(*lines):
    reader, writer = os.pipe2(os.O_NONBLOCK)
    errors = QemuErrors(reader)
    os.write(writer, b"Invalid read at addr 0x0, size 4, region '(null)', reason: rejected\n")
    errors.begin()
    for line in lines:
        os.write(writer, line)
        errors.receive()
    os.close(writer)
    os.close(reader)
    return errors


def test_only_the_first_distinct_lines_are_told():
    errors = _told(*(b"device: bad offset %d\n" % (n // 2) for n in range(40)))
    assert errors.remarks[:5] == [
        f"the simulator (QEMU) says: device: bad offset {n}" for n in range(5)
    ]
    assert errors.flooded and len(errors.remarks) == 6
    assert errors.remarks[5].endswith("no more is reported")


def test_lines_arrive_in_pieces_and_qemus_own_errors_are_no_remarks():
    errors = _told(
        b"qemu-system-arm: warning: something\nInvalid write at addr 0xA0, si",
        b"ze 1, region 'flash\x1b', reason: invalid size (min:4 max:4)\n",
        b"qemu: fatal: Lockup: can't escalate\n\nR00=00000000\n",
    )
    (said,) = errors.remarks
    assert "writes 1 byte at 0xa0, which 'flash" in said and "\x1b" not in said
    assert errors.text.endswith("R00=00000000\n")


def test_a_device_that_is_not_simulated_is_told_by_its_address():
    errors = _told(
        b"PWM: unimplemented device write (size 2, offset 0x01c, value 0x0001)\n",
        b"PWM: unimplemented device write (size 2, offset 0x01c, value 0x0002)\n",
        b"FPGA NS PC: unimplemented device read  (size 4, offset 0x0)\n",
    )
    tree = """
    0000000040028000-0000000040028fff (prio -1000, i/o): PWM\r
      0000000048007000-0000000048007fff (prio -1000, i/o): FPGA NS PC\r
      0000000058007000-0000000058007fff (prio -1000, i/o): FPGA NS PC\r
"""
    twice = "the firmware reads 4 bytes at offset 0x0 of 'FPGA NS PC', which QEMU does not simulate"
    once = "the firmware writes 2 bytes at 0x4002801c in 'PWM', which QEMU does not simulate"
    assert errors.take_remarks(lambda _: tree) == [once, twice]
    assert errors.take_remarks(lambda _: tree) == []
    late = _told(b"PWM: unimplemented device read  (size 4, offset 0x0)\n")
    assert "at offset 0x0 of 'PWM'" in late.take_remarks(lambda _: "")[0], "QEMU has ended"


def test_a_line_without_an_end_takes_little_memory():
    errors = _told(*[b"x" * 60000] * 20)
    assert errors.remarks == [] and len(errors.text) + len(errors._rest) < 300_000
