"""Builds tests/unit/sim/firmware/small.c for a board: its compiler, its memory, its UART."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = f"{HERE}/unit/sim/firmware/small.c"
SECTIONS = f"{HERE}/../firmware"

ARM = "arm-none-eabi-gcc -mthumb"
_FLAGS = (
    "-std=gnu11 -Os -g -Wall -Werror -Wno-misleading-indentation -ffreestanding -static "
    "-fno-delete-null-pointer-checks "
    "-fno-tree-loop-distribute-patterns -nostdlib -Wl,-n -Wl,--build-id=none -T link.ld"
)


class Uart(NamedTuple):
    """Offsets of registers; the transmitter is ready if the status, masked, is `ready`."""

    address: int
    tx: int
    status: int
    mask: int
    ready: int
    init: str = ""
    access: str = "uint32_t"
    rx: int | None = None  # with its status register, mask and value of a byte that has come
    rx_status: tuple[int, int, int] = (0, 0, 0)


class Target(NamedTuple):
    """A board for which firmware is built; `code` and `data` are addresses, `size` is for both."""

    board: str
    compiler: str
    code: int
    data: int
    uart: Uart
    size: int = 0x2000


def reading_nothing(target: Target) -> Target:
    """Return the target for programs that first read the address 0xf8000000: nothing is there."""
    read = "(void)*(volatile uint32_t *)0xf8000000ul"
    return target._replace(uart=target.uart._replace(init=read))


def build(target: Target, program: str, place: str) -> str:
    """Return the path of the ELF file, which is made in the directory `place`."""
    with open(f"{place}/link.ld", "w") as file:
        file.write(
            f"MEMORY {{ code (rx) : ORIGIN = {target.code:#x}, LENGTH = {target.size:#x}\n"
            f"data (rw) : ORIGIN = {target.data:#x}, LENGTH = {target.size:#x} }}\n"
            "INCLUDE sections.ld\n"
        )
    uart = target.uart
    given = {
        "BOARD": f'"{target.board}"',
        "PROGRAM": program,
        "PROGRAM_TRACES": int(program == "trace"),
        "UART": f"{uart.address:#x}ul",
        "TX": uart.tx,
        "STATUS": uart.status,
        "MASK": uart.mask,
        "READY": uart.ready,
        "INIT": uart.init,
        "ACCESS": uart.access,
    }
    if uart.rx is not None:
        names = ("RXSTATUS", "RXMASK", "RXREADY")
        given |= {"RX": uart.rx, **dict(zip(names, uart.rx_status, strict=True))}
    output = f"{place}/{program}.elf"
    command = [*target.compiler.split(), *_FLAGS.split(), f"-L{SECTIONS}", SOURCE, "-o", output]
    defines = [f"-D{name}={value}" for name, value in given.items()]
    subprocess.run([*command, *defines], check=True, cwd=place)
    return output
