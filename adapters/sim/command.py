"""The command line of the QEMU that stands for a processor."""

from __future__ import annotations

from typing import NamedTuple

from adapters.sim.spawn import find_program
from adapters.sim.spec import CORES, ProcessorSpec
from domain.errors import HostFault


class Descriptors(NamedTuple):
    """The child's descriptors; `console` and `semihosting` are -1 where there is no console."""

    firmware: int
    qmp: int
    console: int
    semihosting: int


def command_line(spec: ProcessorSpec, fds: Descriptors) -> list[str]:
    """Return program and arguments. Raises HostFault if QEMU is not installed.

    Semihosting targets gdb, of which there is none: so output and exit work, and calls that
    would open, remove or run things on the host do nothing. Firmware is not to be trusted.
    """
    core = CORES[spec.core]
    program = find_program(core.program)
    if not program:
        raise HostFault(
            f"cannot simulate {spec.name}: {core.program} is not installed",
            errno=2,
            hint=f"install QEMU (Debian: {core.package})",
        )
    return [
        program,
        *("-M", spec.machine, "-cpu", spec.core),
        *("-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"),
        *("-accel", "tcg,thread=single,tb-size=8"),
        *("-S", "-action", "reboot=shutdown,shutdown=pause,watchdog=pause"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny"),
        *("-chardev", f"socket,id=qmp,fd={fds.qmp}", "-mon", "chardev=qmp,mode=control"),
        *_console(fds),
        *core.options,
        *spec.options,
        *("-kernel", f"/proc/self/fd/{fds.firmware}"),
    ]


def _console(fds: Descriptors) -> list[str]:
    if fds.console < 0:
        semihosting, serial = "null,id=semi", ["-serial", "none"]
    else:
        semihosting = f"socket,id=semi,fd={fds.semihosting}"
        serial = ["-chardev", f"socket,id=con,fd={fds.console}", "-serial", "chardev:con"]
    config = "enable=on,target=gdb,chardev=semi"
    return [*serial, "-chardev", semihosting, "-semihosting-config", config]
