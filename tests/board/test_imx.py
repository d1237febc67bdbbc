"""Proves that the kernel's own i.MX driver runs firmware on a processor made of plain memory."""

from __future__ import annotations

import os

import pytest

from tests.board.vm import boot
from tests.elves import Load, elf, resource_table, trace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CODE = 0x8000_0000
TABLE = CODE + 0x100
TRACE = CODE + 0x1000
RESET_REGISTER = 0x8100_000C
IN_RESET, RUNNING = 0xB, 0xE  # as on the SoC: imx_rproc.c, IMX7D_M4_STOP and _START


@pytest.fixture(scope="module")
def vm():
    table = resource_table(trace(TRACE, 64))
    firmware = elf(
        [Load(CODE, b"CODE" * 64 + table, 0x2000)], table=table, table_address=TABLE, entry=CODE
    )
    with boot("imx") as vm:
        with open(os.path.join(vm.scratch, "hello.elf"), "wb") as file:
            file.write(firmware)
        assert vm.run(f"cp {vm.scratch}/hello.elf /lib/firmware").status == 0
        yield vm


def word(vm, address):
    return int(vm.run(["devmem", hex(address)]).output, 0)


def test_life(vm):
    """Firmware lands in the processor's memory, its log shows, and the reset register follows."""
    path = "/sys/class/remoteproc/remoteproc0"
    assert vm.run(f"cat {path}/name {path}/state") == (0, "imx-rproc\noffline\n")
    assert word(vm, RESET_REGISTER) == IN_RESET

    done = vm.run(f"/bin/echo hello.elf >{path}/firmware && /bin/echo start >{path}/state")
    assert done == (0, "")
    assert vm.run(f"cat {path}/state").output == "running\n"
    assert word(vm, RESET_REGISTER) == RUNNING
    assert word(vm, CODE) == int.from_bytes(b"CODE", "little")

    vm.run(f"devmem {TRACE:#x} 32 {int.from_bytes(b'hi!', 'little'):#x}")  # as firmware would
    trace0 = "/sys/kernel/debug/remoteproc/remoteproc0/trace0"
    assert vm.run(["cat", trace0]) == (0, "hi!")

    assert vm.run(f"/bin/echo stop >{path}/state") == (0, "")
    assert word(vm, RESET_REGISTER) == IN_RESET
