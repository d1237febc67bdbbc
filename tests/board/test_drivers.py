"""Proves that the kernel's own drivers run firmware on processors made of plain memory."""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest

from tests.board.vm import boot
from tests.elf_builder import Load, elf, resource_table, trace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Driver(NamedTuple):
    """What boards/KIND.dtsi and the driver's source say."""

    name: str
    code: int  # where firmware goes, as the processor sees it
    code_bus: int  # the same as Linux sees it
    data: int
    data_bus: int
    start_register: int  # of reset or boot hold
    before_start: int
    after_start: int
    stop_register: int
    before_stop: int  # left there by firmware or by the start
    after_stop: int


DRIVERS = {
    # One register: IMX7D_M4_STOP and IMX7D_M4_START in imx_rproc.c.
    "imx": Driver(
        "imx-rproc", 0x8000_0000, 0x8000_0000, 0x8000_2000, 0x8000_2000,
        0x8100_000C, 0xB, 0xE, 0x8100_000C, 0xE, 0xB,
    ),
    # A start releases the boot hold and at once takes it again, for the next reset; firmware
    # reports M4_STATE_CRUN and a stop clears that to M4_STATE_OFF.
    "stm32": Driver(
        "m4", 0x0, 0x8000_0000, 0x1000_0000, 0x8001_0000,
        0x8100_0000, 1, 0, 0x8100_000C, 2, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DRIVERS)
def test_life(kind):
    """Firmware lands in the processor's memory, its log shows, and the register follows."""
    driver = DRIVERS[kind]
    table = resource_table(trace(driver.data + 0x100, 64))
    firmware = elf(
        [Load(driver.code, b"CODE" * 64), Load(driver.data, table, 0x1000)],
        table=table,
        table_address=driver.data,
        entry=driver.code,
    )
    path = "/sys/class/remoteproc/remoteproc0"
    with boot(kind) as vm:

        def word(address):
            return int(vm.run(["devmem", hex(address)]).output, 0)

        with open(os.path.join(vm.scratch, "hello.elf"), "wb") as file:
            file.write(firmware)
        assert vm.run(f"cp {vm.scratch}/hello.elf /lib/firmware").status == 0
        assert vm.run(f"cat {path}/name {path}/state") == (0, f"{driver.name}\noffline\n")
        assert word(driver.start_register) == driver.before_start

        done = vm.run(f"/bin/echo hello.elf >{path}/firmware && /bin/echo start >{path}/state")
        assert done == (0, "")
        assert vm.run(f"cat {path}/state").output == "running\n"
        assert word(driver.start_register) == driver.after_start
        assert word(driver.code_bus) == int.from_bytes(b"CODE", "little")

        # As firmware would print:
        vm.run(f"devmem {driver.data_bus + 0x100:#x} 32 {int.from_bytes(b'hi!', 'little'):#x}")
        trace0 = "/sys/kernel/debug/remoteproc/remoteproc0/trace0"
        assert vm.run(["cat", trace0]) == (0, "hi!")

        vm.run(f"devmem {driver.stop_register:#x} 32 {driver.before_stop:#x}")
        assert vm.run(f"/bin/echo stop >{path}/state") == (0, "")
        assert vm.run(f"cat {path}/state").output == "offline\n"
        assert word(driver.stop_register) == driver.after_stop
