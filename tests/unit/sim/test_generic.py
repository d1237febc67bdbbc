"""Each board of `machine: generic` runs firmware that was built for the vendor's memory map."""

import os
import subprocess
from pathlib import Path

import pytest

from adapters.sim import generic_machine
from adapters.sim.board_file import SHIPPED, load_board, parse_board
from adapters.sim.sim_board import SimBoard
from domain.errors import HostFault, InvalidRequest
from domain.processor import CRASHED, OFFLINE, RUNNING
from tests.small_firmware import ARM, Target, Uart, build
from tests.unit.sim.helpers import ended, follow, run, watch

# A dozen register writes as the vendor's start-up does, and then the UART's.
IMX = Uart(
    0x30A60000, 0x40, 0x94, 0x2000, 0x2000,
    "W(0x84, 0); while (!(R(0x84) & 1)); W(0x80, 1); W(0x84, 0x4027); W(0x88, 0x704); "
    "W(0x90, 0xa01); W(0xa4, 0xf); W(0xa8, 0x68)",
    rx=0x0, rx_status=(0x98, 1, 1),
)  # fmt: skip
LPUART = Uart(
    0x44390000, 0x1C, 0x14, 0x800000, 0x800000,
    "W(8, 2); W(8, 0); W(0x10, 0xf000008); W(0x18, 0xc0000)",
    rx=0x1C, rx_status=(0x14, 0x200000, 0x200000),
)  # fmt: skip
CADENCE = Uart(
    0xFF010000, 0x30, 0x2C, 0x10, 0,
    "W(0, 0x128); W(4, 0x20); W(0x18, 0x7c); W(0x34, 6); W(0, 0x117)",
    rx=0x30, rx_status=(0x2C, 2, 0),
)  # fmt: skip
NS16550 = Uart(
    0x04A00000, 0, 0x14, 0x20, 0x20,
    "W(0x20, 7); W(0xc, 0x83); W(0, 26); W(4, 0); W(0xc, 3); W(8, 7); W(0x20, 0)",
    rx=0, rx_status=(0x14, 1, 1),
)  # fmt: skip


def stm32(address):
    return Uart(
        address, 0x28, 0x1C, 0x80, 0x80,
        "W(0, 0); W(0xc, 0x22c); W(0, 0xd); while (!(R(0x1c) & 0x600000))",
        rx=0x24, rx_status=(0x1C, 0x20, 0x20),
    )  # fmt: skip


M33 = f"{ARM} -mcpu=cortex-m33"
R5 = "arm-none-eabi-gcc -mcpu=cortex-r5 -mfloat-abi=softfp -mfpu=vfpv3-d16"
TARGETS = [
    Target("imx8mp-m7", f"{ARM} -mcpu=cortex-m7", 0, 0x20000000, IMX),
    Target("imx93-m33", M33, 0x0FFE0000, 0x20000000, LPUART),
    Target("stm32mp1-m4", f"{ARM} -mcpu=cortex-m4", 0, 0x10000000, stm32(0x4000F000)),
    Target("stm32mp2-m33", M33, 0x80100000, 0x80A00000, stm32(0x40110000)),
    Target("zynqmp-r5", R5, 0, 0x20000, CADENCE),
    Target("am62-m4f", f"{ARM} -mcpu=cortex-m4", 0, 0x40000, NS16550),
]
ALL = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.board)


@pytest.fixture
def built(image, tmp_path):
    return lambda target, program: image(build(target, program, str(tmp_path)))


def said(processor):
    """Return all remarks but the one that every processor of such a machine begins with."""
    first, *others = processor.remarks()
    assert "simulated registers: what happens here proves nothing of timing" in first
    return others


@ALL
def test_firmware_prints_and_exits(opened, built, target):
    processor = opened(target.board)
    run(processor, built(target, "quit"))
    output, state = follow(processor, ended)
    assert (output, state) == (f"hello from {target.board}\n".encode(), OFFLINE)
    assert processor.firmware_exit().status == 7
    assert said(processor) == []


@ALL
def test_firmware_reads_its_console_until_it_is_stopped(opened, built, target):
    processor = opened(target.board)
    run(processor, built(target, "echo"))
    follow(processor, lambda output, _: output.endswith(b"\n"))
    assert processor.console.write_input(b"abc" * 100) == 300
    follow(processor, lambda output, _: output == b"abc" * 100)
    assert processor.state() == RUNNING
    processor.stop()
    assert processor.state() == OFFLINE


@pytest.mark.parametrize(
    "target", [t for t in TARGETS if t.board != "zynqmp-r5"], ids=lambda target: target.board
)
def test_a_lockup_is_a_crash(opened, built, target):
    processor = opened(target.board)
    run(processor, built(target, "crash"))
    _, state = follow(processor, ended)
    assert state == CRASHED and processor.firmware_exit().reason.startswith("lockup at 0x")


@ALL
def test_the_trace_buffer_is_shown(opened, built, target):
    processor = opened(target.board)
    run(processor, built(target, "trace"))
    follow(processor, lambda output, _: b"hello" in output and b"trace" in output)
    assert processor.state() == RUNNING


def test_a_register_that_is_polled_is_offered_values_and_named(opened, built):
    waits = "while ((*(volatile uint32_t *)0x30390018 & 0xf) != 5);" + IMX.init
    processor = opened("imx8mp-m7")
    run(processor, built(TARGETS[0]._replace(uart=IMX._replace(init=waits)), "quit"))
    output, _ = follow(processor, ended)
    assert output == b"hello from imx8mp-m7\n"
    (words,) = said(processor)
    assert words.startswith("imx-rproc: simulated registers: the firmware polls 0x30390018;")


def test_what_is_in_no_memory_and_no_register_is_told(opened, built):
    reads = "(void)*(volatile uint32_t *)0x28000000"
    processor = opened("imx8mp-m7")
    run(processor, built(TARGETS[0]._replace(uart=IMX._replace(init=reads)), "quit"))
    follow(processor, ended)
    (words,) = said(processor)
    assert "reads 4 bytes at 0x28000000, where the simulated machine has nothing" in words


def test_received_bytes_can_interrupt(opened, built):
    pending = "(*(volatile uint32_t *)0xe000e200 & 1u << 29)"  # NVIC_ISPR0
    enable = "*(volatile uint32_t *)0xe000e100 = 1u << 29"  # NVIC_ISER0, so that it wakes the core
    sleep = f"{enable}; while (!{pending}) SLEEP"
    init = f'__asm__ volatile("cpsid i"); {IMX.init}; {sleep}'
    processor = opened("imx8mp-m7")
    run(processor, built(TARGETS[0]._replace(uart=IMX._replace(init=init)), "echo"))
    processor.console.write_input(b"x")
    follow(processor, lambda output, _: output == b"hello from imx8mp-m7\nx")


def test_without_the_library_it_is_refused_before_a_start_and_all_else_works(
    opened, built, image, monkeypatch, tmp_path
):
    monkeypatch.setattr(generic_machine, "_PLACES", (str(tmp_path),))
    with pytest.raises(HostFault, match=r"needs generic-machine\.so.*make -C generic-machine"):
        opened("imx8mp-m7").check(built(TARGETS[0], "hello"))
    processor = opened()
    run(processor, image("exit"))
    follow(processor, ended)
    assert processor.firmware_exit().status == 7


def test_a_qemu_without_exported_functions_is_told(opened, built, monkeypatch, tmp_path):
    prefix = tmp_path / "hidden"
    (prefix / "bin").mkdir(parents=True)
    (tmp_path / "hidden.c").write_text("int main(void) { return 0; }")
    program = prefix / "bin" / "qemu-system-arm"
    subprocess.run(["gcc", "-o", program, tmp_path / "hidden.c"], check=True)
    monkeypatch.setenv("PATH", f"{prefix}/bin:{os.environ['PATH']}")
    processor = opened("imx8mp-m7")
    with pytest.raises(HostFault, match="this QEMU does not export its functions"):
        run(processor, built(TARGETS[0], "hello"))


GOOD = """
processors:
  - name: m7
    core: cortex-m7
    machine: generic
    memory: [{name: itcm, address: 0, size: 128K}]
    generic: {GENERIC}
"""


@pytest.mark.parametrize(
    ("generic", "says"),
    [
        ("interrupts: 0", "interrupts 0 is not 1 to 480"),
        ("interrupts: 1000", "interrupts 1000 is not 1 to 480"),
        ("vectors: 0x10", "vectors 0x10 is no multiple of 128"),
        ("clock: 0", "clock 0 is not 1 to"),
        ("registers: [{address: 0xfffffff0, size: 1M}]", "size 0x100000 at 0xfffffff0 is out of"),
        ("registers: [{address: 0, size: 0}]", "size 0x0 at 0x0 is out of range"),
        ("constants: {0x1: 0}", "0x1: 0 is no register of 32 bits"),
        ("constants: {here: 0}", "'here' is no address or offset"),
        ("constants: {0x4: 0x100000000}", "0x4: 0x100000000 is no register of 32 bits"),
        ("uarts: [{address: 0, size: 4K}]", "lacks the key 'transmit'"),
        ("uarts: [{address: 0, size: 4K, transmit: 0, interrupt: 999}]", "interrupt must be a"),
        ("uarts: [{address: 0, size: 4K, transmit: 0, latch: {0x2000: 1}}]", "outside of the UART"),
        ("uarts: [{address: 0, size: 4K, transmit: 0x1000}]", "transmit 0x1000 is outside"),
        ("uart: []", "unknown key 'uart' in generic"),
    ],
)
def test_a_mistake_in_a_description_is_named(generic, says):
    text = GOOD.replace("GENERIC", generic)
    with pytest.raises(InvalidRequest, match=says) as caught:
        parse_board(text, "own.yaml")
    assert str(caught.value).startswith("own.yaml:7: ")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("machine: generic", "machine: mps2-an500", "generic has no effect on another machine"),
        ("    generic: {GENERIC}\n", "", "machine generic lacks the key 'generic'"),
        ("cortex-m7", "rv32", "machine generic has no core 'rv32'; take an Arm core"),
        ("cortex-m7", "cortex-r5f", "interrupts has no effect on cortex-r5f"),
        ("128K", "128K, alias-of: 0x1000", "alias-of 0x1000: there is no memory of 0x20000 bytes"),
        ("128K}", "128K}, {name: a, address: 1M}", "a memory lacks the key 'size'"),
        ("size: 128K", "size: 5G", "size 0x140000000 at 0x0 is out of range"),
    ],
)
def test_what_does_not_fit_together_is_named(old, new, says):
    text = GOOD.replace(old, new).replace("GENERIC", "interrupts: 4")
    with pytest.raises(InvalidRequest, match=says):
        parse_board(text, "own.yaml")


def test_a_uart_that_is_never_idle_and_registers_under_memory_do_no_harm(opened, built, tmp_path):
    text = GOOD.replace(
        "GENERIC",
        "registers: [{address: 0, size: 2G}], "
        "uarts: [{address: 0x30a60000, size: 64K, transmit: 0x40, idle: {0x84: 1, 0x94: 0}}]",
    ).replace("size: 128K}", "size: 128K}, {name: dtcm, address: 0x20000000, size: 128K}")
    processor = opened(SimBoard(parse_board(text, str(tmp_path / "own.yaml")), str(tmp_path / "r")))
    run(processor, built(TARGETS[0], "hello"))
    words = watch(processor, lambda words, _: len(words) > 1)[0]
    assert "printed nothing, and runs in a loop" in words[1]
    processor.stop()


def test_shipped_boards_are_described_in_full_and_tested():
    shipped = {path.stem for path in Path(SHIPPED).iterdir() if "generic:" in path.read_text()}
    assert shipped == {target.board for target in TARGETS}
    for target in TARGETS:
        (spec,) = load_board(target.board).processors
        assert spec.generic.count("ram ") == len(spec.memory) and "uart " in spec.generic
