"""The sample firmware by its behaviour, and files that are no good firmware."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Callable, Mapping

_FIRMWARE = os.path.join(os.path.dirname(__file__), "..", "..", "firmware")
BUILD = os.path.realpath(os.path.join(_FIRMWARE, "build"))

PRINTING = {
    "prints and runs on": "cortex-m3/hello.elf",
    "logs into its trace buffer": "cortex-m3/trace.elf",
    "logs more than its trace buffer holds": "cortex-m3/trace_wrap.elf",
    "answers what is typed": "cortex-m3/echo.elf",
    "ends by itself": "cortex-m3/exit0.elf",
    "ends with exit code 7": "cortex-m3/exit.elf",
    "crashes": "cortex-m3/crash.elf",
    "resets its processor": "cortex-m3/reset.elf",
    "does not feed its watchdog": "cortex-m3/watchdog.elf",
    "ignores all messages": "cortex-m3/spin.elf",
    "is built for a RISC-V core": "riscv32/hello.elf",
}
"""Files that print to a UART, but for those whose name says trace."""

_UNTRACED = ("trace", "trace_wrap", "spin")
TRACING = {
    behaviour: path
    if path.startswith("riscv") or os.path.basename(path)[:-4] in _UNTRACED
    else f"{path[:-4]}-traced.elf"
    for behaviour, path in PRINTING.items()
}
"""Files that all print into a trace buffer."""


def build(lock: str) -> None:
    """Build the samples that are missing; `lock` names a lock file for parallel workers."""
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-C", _FIRMWARE], check=True, timeout=110)


def make(behaviour: str, place: str, programs: Mapping[str, str] = PRINTING) -> str:
    """Return the path of firmware with this behaviour, made in `place` if it is no sample."""
    if behaviour in programs:
        return f"{BUILD}/{programs[behaviour]}"
    with open(f"{BUILD}/{programs['prints and runs on']}", "rb") as file:
        return spoil(file.read(), behaviour, place)


def spoil(good: bytes, behaviour: str, place: str) -> str:
    """Make the firmware unfit in this way; return the new file's path. Raises KeyError."""
    unfit: Mapping[str, Callable[[], bytes]] = {
        "is not an ELF file": lambda: b"#!/bin/sh\necho hello\n",
        "is cut off": lambda: good[: len(good) // 2],
        "has 60000 segments": lambda: _with_segments(good, 60_000),
        "lies outside the processor's memory": lambda: _moved(good, 0x6000_0000),
    }
    path = os.path.join(place, f"{behaviour.replace(' ', '-')}.elf")
    with open(path, "wb") as file:
        file.write(unfit[behaviour]())
    return path


def _with_segments(elf: bytes, count: int) -> bytes:
    """Give it so many program headers, all like its first one (elf(5): Elf32_Ehdr)."""
    image = bytearray(elf)
    (table,) = struct.unpack_from("<I", image, 28)
    (size,) = struct.unpack_from("<H", image, 42)
    struct.pack_into("<I", image, 28, len(image))
    struct.pack_into("<H", image, 44, count)
    return bytes(image + image[table : table + size] * count)


def _moved(elf: bytes, distance: int) -> bytes:
    """Add the distance to the addresses of all segments (elf(5): Elf32_Ehdr, Elf32_Phdr)."""
    image = bytearray(elf)
    (table,) = struct.unpack_from("<I", image, 28)
    size, count = struct.unpack_from("<HH", image, 42)
    for header in range(table, table + size * count, size):
        for field in (header + 8, header + 12):
            (address,) = struct.unpack_from("<I", image, field)
            struct.pack_into("<I", image, field, address + distance)
    return bytes(image)
