"""What a simulated processor is: values that are sent as JSON to the supervisor that runs it."""

from __future__ import annotations

import errno as _errno

from domain.arm import V6S_M, V7, V7E_M, V8_1_M_MAIN, V8_M_MAIN, V8_R, ArmArchitecture
from domain.compatibility import Core, Region
from domain.elf import EM_AARCH64, EM_ARM, EM_RISCV
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class SimulatedCore(NamedTuple):
    """A core that QEMU has: QEMU's program, and arguments for it.

    `model` is QEMU's name for it (option -cpu). `program` is the name of a Debian package, too, or
    of what a package provides. QEMU exits with `crash_code` where the firmware reported a crash; 0
    where it cannot.
    """

    core: Core
    model: str
    program: str
    options: tuple[str, ...] = ()
    crash_code: int = 0

    @property
    def has_vectors(self) -> bool:
        """Whether it is a microcontroller's core, which starts where its vectors say."""
        return self.core.arm is not None and self.core.arm.microcontroller


_RISCV_CRASH = 128 + 11  # RISC-V has no lockup: firmware writes this code to the test device


def _arm(name: str, architecture: int, profile: str = "M", model: str = "") -> SimulatedCore:
    core = Core(name, 32, EM_ARM, ArmArchitecture(architecture, profile))
    return SimulatedCore(core, model or name, "qemu-system-arm")


def _aarch64(name: str) -> SimulatedCore:
    core = Core(name, 64, EM_AARCH64)
    return SimulatedCore(core, name, "qemu-system-aarch64")


def _riscv(name: str, bits: int) -> SimulatedCore:
    # Without this option QEMU loads OpenSBI to the address that the firmware is linked for.
    core = Core(name, bits, EM_RISCV)
    program = f"qemu-system-riscv{bits}"
    return SimulatedCore(core, name, program, ("-bios", "none"), _RISCV_CRASH)


CORES: Mapping[str, SimulatedCore] = {
    **{name: _arm(name, V6S_M, model="cortex-m0") for name in ("cortex-m0", "cortex-m0plus")},
    "cortex-m1": _arm("cortex-m1", V6S_M, model="cortex-m0"),
    "cortex-m3": _arm("cortex-m3", V7),
    "cortex-m4": _arm("cortex-m4", V7E_M),
    "cortex-m7": _arm("cortex-m7", V7E_M),
    "cortex-m33": _arm("cortex-m33", V8_M_MAIN),
    "cortex-m55": _arm("cortex-m55", V8_1_M_MAIN),
    **{name: _arm(name, V7, "R") for name in ("cortex-r5", "cortex-r5f")},
    "cortex-r52": _arm("cortex-r52", V8_R, "R"),
    **{f"cortex-a{n}": _arm(f"cortex-a{n}", V7, "A") for n in (7, 8, 9, 15)},
    **{f"cortex-a{n}": _aarch64(f"cortex-a{n}") for n in (35, 53, 57, 72, 76)},
    "rv32": _riscv("rv32", 32),
    "rv64": _riscv("rv64", 64),
}
"""The cores that QEMU can execute, some only in a newer QEMU than Debian 12's."""

NO_CORE = "none"
"""The core of a processor that executes nothing: it takes firmware for any core."""


class InjectedFaults(NamedTuple):
    """The faults that a simulated processor shall show; times in seconds, errors by errno name.

    0 and an empty name stand for no fault. `crash_after` and `end_after` count from the start of
    the firmware, also while the processor is paused; after `stop_error` the firmware runs on.
    After `end_after` the firmware ends by itself, as if with the semihosting exit code `exit_code`.
    """

    start_delay: float = 0.0
    start_error: str = ""
    stop_error: str = ""
    crash_after: float = 0.0
    end_after: float = 0.0
    exit_code: int = 0


MAILBOXES = ("stm32-ipcc", "imx-mu", "imx-mu2", "ti-mailbox")
"""The kinds of mailboxes that generic-machine.so knows."""


class Mailbox(NamedTuple):
    """What firmware and Linux ring each other with: see adapters.sim.mailbox_board.

    `vrings` and `buffers` are addresses; `buffers_size` in bytes.
    """

    kind: str
    address: int
    irqs: Sequence[int]
    vrings: Sequence[int]
    buffers: int
    buffers_size: int


def _mailbox(
    kind: str, address: int, irqs: Sequence[int], vrings: Sequence[int], *rest: int
) -> Mailbox:
    return Mailbox(kind, address, tuple(irqs), tuple(vrings), *rest)


class ProcessorSpec(NamedTuple):
    """One simulated processor. `core` is a key of CORES, or NO_CORE; `machine` is QEMU's -M.

    `console` is `uart` or `uart1` (the machine's first one), `uart2`, ... or `none`; `options` are
    further arguments for QEMU. With NO_CORE there is no QEMU, so these three mean nothing; and
    `memory` may be empty: firmware is then loaded at any address.
    `boot` is the state in which the boot loader leaves the processor: `off`, `detached`, or
    `attached` where the driver attaches to it without a request.
    `crashes`: `shown` as a state, or only `logged`, as TI's K3 drivers do (remoteproc-sim).
    `generic` describes the machine `generic`, see adapters.sim.generic_machine; else it is empty.
    """

    name: str
    core: str
    machine: str = ""
    memory: Sequence[Region] = ()
    console: str = "uart"
    options: Sequence[str] = ()
    faults: InjectedFaults = InjectedFaults()
    boot: str = "off"
    generic: str = ""
    crashes: str = "shown"
    mailbox: Mailbox | None = None

    @property
    def default_firmware(self) -> str:
        """The name of the file that the kernel loads where no program has set one."""
        return f"rproc-{self.name}-fw"

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {
            **self._asdict(),
            "memory": [list(region) for region in self.memory],
            "options": list(self.options),
            "faults": self.faults._asdict(),
            "mailbox": list(self.mailbox) if self.mailbox else None,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ProcessorSpec:
        """Return the processor whose `to_json` is `value`. Raises KeyError, TypeError."""
        parts = {
            "memory": tuple(Region(*region) for region in value["memory"]),
            "options": tuple(value["options"]),
            "faults": InjectedFaults(**value["faults"]),
            "mailbox": _mailbox(*value["mailbox"]) if value["mailbox"] else None,
        }
        return cls(**{**value, **parts})


def errno_of(name: str) -> int:
    """Return the number of an errno name such as `EIO`; 0 for an unknown one."""
    return int(getattr(_errno, name, 0)) if name.startswith("E") else 0
