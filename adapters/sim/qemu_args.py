"""The command line of the QEMU process that simulates a processor."""

from __future__ import annotations

from errno import ENOENT
from typing import NamedTuple

from adapters.sim.spawn import find_program
from adapters.sim.spec import CORES, ProcessorSpec
from domain.errors import HostFault


class Descriptors(NamedTuple):
    """Descriptors that QEMU inherits; `console` is -1 for a processor without a UART."""

    firmware: int
    qmp: int
    console: int


def command_line(spec: ProcessorSpec, fds: Descriptors) -> list[str]:
    """Return program and arguments. Raises HostFault if QEMU is not installed.

    Firmware is not trusted, and QEMU's semihosting would let the firmware write and remove files
    and run programs on the host. So the semihosting target is gdb, and no gdb is connected: the
    exit call works, all other calls do nothing. (Semihosting output is lost for that reason; QEMU
    offers no safe way to have it.)
    """
    core = CORES[spec.core]
    program = find_program(core.program)
    if not program:
        raise HostFault(
            f"cannot simulate {spec.name}: {core.program} is not installed",
            errno=ENOENT,
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
        *("-semihosting-config", "enable=on,target=gdb"),
        *_serial(fds.console),
        *core.options,
        *spec.options,
        *("-kernel", f"/proc/self/fd/{fds.firmware}"),
    ]


def _serial(console: int) -> tuple[str, ...]:
    if console < 0:
        return ("-serial", "none")
    return ("-chardev", f"socket,id=con,fd={console}", "-serial", "chardev:con")
