"""Whether the QEMU that is installed has a machine, and what it says when it has not."""

from __future__ import annotations

from errno import EINVAL

from adapters.sim.generic_machine import library
from adapters.sim.spec import CORES, ProcessorSpec
from domain.errors import HostFault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

# Machines of Debian 12's QEMU (7.2), and of later ones: a create need not ask.
_USUAL = frozenset(
    (
        *("ast1030-evb", "emcraft-sf2", "generic", "lm3s6965evb", "lm3s811evb", "microbit"),
        *("mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps2-an511", "mps2-an521"),
        *("mps3-an524", "mps3-an547", "musca-a", "musca-b1", "netduino2", "netduinoplus2"),
        *("none", "sifive_e", "sifive_u", "stm32vldiscovery", "virt", "xilinx-zynq-a9"),
    )
)


def check_machine(spec: ProcessorSpec) -> None:
    """Raise HostFault if the processor's machine is not in the QEMU that is installed.

    Asks QEMU for its list only if the machine is not in every QEMU that is supported. A QEMU that
    is not installed is an error of the start.
    """
    if spec.generic:
        library(spec)
    if spec.machine in _USUAL:
        return
    from adapters.sim.spawn import find_program

    program = find_program(CORES[spec.core].program)
    listed = ask((program, "-M", "help")) if program else ""
    names = {line.partition(" ")[0] for line in listed.splitlines()[1:]}
    if names and spec.machine not in names:
        raise HostFault(
            f"cannot simulate {spec.name}: {ask((program, '--version')).partition(chr(10))[0]} "
            f"has no machine {spec.machine}",
            errno=EINVAL,
            hint=f"install a newer QEMU, or choose a machine of {CORES[spec.core].program} -M help",
        )


def ask(command: Sequence[str], words: bytes = b"") -> str:
    """Return what QEMU prints when it is given these words; `` if it cannot be asked."""
    from subprocess import DEVNULL, PIPE, SubprocessError, run

    try:
        asked = run(command, input=words, stdout=PIPE, stderr=DEVNULL, timeout=20, check=False)
    except (OSError, SubprocessError):
        return ""
    return asked.stdout.decode(errors="replace")
