"""What a simulated processor is: plain values, sent as JSON to the process that runs one."""

from __future__ import annotations

import errno as _errno
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Core(NamedTuple):
    """What QEMU and an ELF call a core.

    `program` is QEMU's, `package` Debian's that has it. `machine` and `elf_class` (32 or 64) are
    the ELF header's; `architectures` the values of Tag_CPU_arch whose code the core executes
    (Arm ABI addenda, 3.3.5.2), none where the ELF does not tell.
    """

    program: str
    package: str
    machine: int
    elf_class: int
    architectures: tuple[int, ...] = ()


_ARM, _RISCV = 40, 243  # e_machine
_V6_M, _V6S_M, _V7, _V7E_M, _V8_BASE, _V8_MAIN, _V81_MAIN = 11, 12, 10, 13, 16, 17, 21
_M0 = (_V6_M, _V6S_M)
_M3 = (*_M0, _V7)
_M4 = (*_M3, _V7E_M)
_M33 = (*_M4, _V8_BASE, _V8_MAIN)


def _arm(*architectures: int) -> Core:
    return Core("qemu-system-arm", "qemu-system-arm", _ARM, 32, architectures)


CORES: Mapping[str, Core] = {
    "cortex-m0": _arm(*_M0),
    "cortex-m3": _arm(*_M3),
    "cortex-m4": _arm(*_M4),
    "cortex-m7": _arm(*_M4),
    "cortex-m33": _arm(*_M33),
    "cortex-m55": _arm(*_M33, _V81_MAIN),
    "rv32": Core("qemu-system-riscv32", "qemu-system-misc", _RISCV, 32),
    "rv64": Core("qemu-system-riscv64", "qemu-system-misc", _RISCV, 64),
}
"""By QEMU's name (its option -cpu)."""


class Region(NamedTuple):
    """Memory that firmware may be loaded to: address as the core sees it, size in bytes."""

    name: str
    address: int
    size: int


class Faults(NamedTuple):
    """What shall go wrong: seconds, and errno names; zero and empty for nothing.

    `crash_after` counts from the start; `stop_error` leaves the firmware running.
    """

    start_delay: float = 0.0
    start_error: str = ""
    stop_error: str = ""
    crash_after: float = 0.0


class ProcessorSpec(NamedTuple):
    """One simulated processor. `core` is a key of CORES, `machine` QEMU's -M.

    `console` is `uart` (the machine's first UART, and semihosting output) or `none`; `options`
    are further arguments for QEMU.
    """

    name: str
    core: str
    machine: str
    memory: Sequence[Region]
    console: str = "uart"
    options: Sequence[str] = ()
    faults: Faults = Faults()

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {
            **self._asdict(),
            "memory": [list(region) for region in self.memory],
            "options": list(self.options),
            "faults": self.faults._asdict(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ProcessorSpec:
        """Undo `to_json`. Raises KeyError or TypeError on anything else."""
        memory = tuple(Region(*region) for region in value["memory"])
        faults = Faults(**value["faults"])
        return cls(**{**value, "memory": memory, "faults": faults})


def errno_of(name: str) -> int:
    """Return the number of an errno name such as `EIO`; 0 for an unknown one."""
    return int(getattr(_errno, name, 0)) if name.startswith("E") else 0
