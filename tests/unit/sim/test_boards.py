"""Each board that is shipped for a machine of QEMU's runs firmware that was built for it."""

import pytest

from adapters.sim.board_file import load_board, parse_board
from adapters.sim.sim_board import SimBoard
from domain.errors import FirmwareUnfit, HostFault
from domain.processor import OFFLINE, RUNNING
from tests.small_firmware import ARM, Target, Uart, build
from tests.unit.sim.helpers import ended, follow, run

A32 = "arm-none-eabi-gcc -mcpu=cortex-a15"
A64 = "aarch64-linux-gnu-gcc -mgeneral-regs-only -fno-pic -no-pie"
RISCV = "riscv64-unknown-elf-gcc -mcmodel=medany"
RV32 = f"{RISCV} -march=rv32imac_zicsr -mabi=ilp32"
RV64 = f"{RISCV} -march=rv64imac_zicsr -mabi=lp64"


def cmsdk(address):
    return Uart(address, 0, 4, 1, 0, "W(0x10, 217); W(8, 1)")


def pl011(address):
    return Uart(address, 0, 0x18, 0x20, 0, "W(0x30, 0x301)")


NRF51 = Uart(0x40002000, 0x51C, 0x4, 0, 0, "W(0x500, 4); W(8, 1)")
NS16550 = Uart(0x10000000, 0, 5, 0x20, 0x20, "", "uint8_t")


def sifive(address):
    """Ready when its queue is empty, which QEMU 10 loses at an exit, as the chip would."""
    return Uart(address, 0, 0x14, 1, 1, "W(8, 0x10001)")


TARGETS = [
    Target("mps2-an385", f"{ARM} -mcpu=cortex-m3", 0, 0x20000000, cmsdk(0x40004000)),
    Target("mps2-an386", f"{ARM} -mcpu=cortex-m4", 0, 0x20000000, cmsdk(0x40004000)),
    Target("mps2-an500", f"{ARM} -mcpu=cortex-m7", 0, 0x60000000, cmsdk(0x40004000)),
    Target("mps2-an505", f"{ARM} -mcpu=cortex-m33", 0x10000000, 0x38000000, cmsdk(0x40200000)),
    Target("mps2-an521", f"{ARM} -mcpu=cortex-m33", 0x10000000, 0x38000000, cmsdk(0x40200000)),
    Target("mps3-an547", f"{ARM} -mcpu=cortex-m55", 0x10000000, 0x30000000, cmsdk(0x59303000)),
    Target("lm3s6965evb", f"{ARM} -mcpu=cortex-m3", 0, 0x20000000, pl011(0x4000C000)),
    Target("microbit", f"{ARM} -mcpu=cortex-m0", 0, 0x20000000, NRF51),
    Target("virt-rv32", RV32, 0x80000000, 0x80002000, NS16550),
    Target("virt-rv64", RV64, 0x80000000, 0x80002000, NS16550),
    Target("sifive-e", RV32, 0x20400000, 0x80000000, sifive(0x10013000)),
    Target("sifive-u", RV64, 0x80000000, 0x80002000, sifive(0x10010000)),
    Target("virt-a15", A32, 0x40000000, 0x40010000, pl011(0x9000000)),
    Target("virt-a53", A64, 0x40000000, 0x40010000, pl011(0x9000000)),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.board)
def test_firmware_prints_and_exits(opened, image, tmp_path, target):
    processor = opened(target.board)
    run(processor, image(build(target, "quit", str(tmp_path))))
    output, state = follow(processor, ended)
    assert (output, state) == (f"hello from {target.board}\n".encode(), OFFLINE)
    assert processor.firmware_exit().status == 7
    assert processor.remarks() == []


@pytest.mark.parametrize("target", TARGETS[::4], ids=lambda target: target.board)
def test_firmware_sleeps_until_it_is_stopped(opened, image, tmp_path, target):
    processor = opened(target.board)
    run(processor, image(build(target, "hello", str(tmp_path))))
    follow(processor, lambda output, _: output.endswith(b"\n"))
    assert processor.state() == RUNNING
    processor.stop()
    assert processor.state() == OFFLINE


OWN = """
processors:
  - name: m
    core: {core}
    machine: {machine}
    console: {console}
    memory: [{{name: a, address: 0, size: 256K}}, {{name: b, address: 0x20000000, size: 64K}}]
"""


@pytest.fixture
def own(opened, tmp_path):
    """Open a processor of a board file of one's own."""

    def own(core, machine, console="uart"):
        text = OWN.format(core=core, machine=machine, console=console)
        spec = parse_board(text, str(tmp_path / "own.yaml"))
        return opened(SimBoard(spec, str(tmp_path / "run")))

    return own


@pytest.mark.parametrize(("console", "address"), [("uart1", 0x40004000), ("uart3", 0x40006000)])
def test_any_uart_of_the_machine_can_be_the_console(own, image, tmp_path, console, address):
    processor = own("cortex-m3", "mps2-an385", console)
    run(processor, image(build(TARGETS[0]._replace(uart=cmsdk(address)), "quit", str(tmp_path))))
    assert follow(processor, ended)[0] == b"hello from mps2-an385\n"


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m0plus", "cortex-m1"])
def test_what_gcc_builds_for_the_smallest_cores_runs(own, image, tmp_path, core):
    processor = own(core, "microbit")
    target = next(target for target in TARGETS if target.board == "microbit")
    compiler = f"{ARM} -mcpu={core}"
    run(processor, image(build(target._replace(compiler=compiler), "quit", str(tmp_path))))
    assert follow(processor, ended)[0] == b"hello from microbit\n"


def test_firmware_that_looks_for_its_network_device_finds_it(opened, image, tmp_path):
    target = next(target for target in TARGETS if target.board == "lm3s6965evb")
    ask = "W(0x30, 0x301); (void)*(volatile uint32_t *)0x40048034"  # the receiver's packets
    target = target._replace(uart=target.uart._replace(init=ask))
    processor = opened(target.board)
    run(processor, image(build(target, "quit", str(tmp_path))))
    assert follow(processor, ended)[0] == b"hello from lm3s6965evb\n"
    assert processor.remarks() == []


def test_a_machine_that_this_qemu_lacks_is_refused_by_name_before_a_start(own, image):
    says = r"simulate m: QEMU emulator version \d.* has no machine mps9-an999; install a newer"
    with pytest.raises(HostFault, match=says):
        own("cortex-m3", "mps9-an999").check(image("hello"))


def test_firmware_for_another_core_is_refused(opened, image, tmp_path):
    wide = next(target for target in TARGETS if target.board == "virt-a53")
    with pytest.raises(FirmwareUnfit, match="64-bit AArch64 code, but cortex-a15 executes 32-bit"):
        opened("virt-a15").check(image(build(wide, "hello", str(tmp_path))))
    with pytest.raises(FirmwareUnfit, match="is built for Arm v7E-M, but cortex-a15 is Arm v7-A"):
        opened("virt-a15").check(image(build(TARGETS[1], "hello", str(tmp_path))))


def test_a_missing_simulator_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    board = SimBoard(load_board("virt-a53"), str(tmp_path))
    assert board.facts().simulators == ("qemu-system-aarch64",)
