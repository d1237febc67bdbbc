"""The command line of the QEMU process that simulates a processor."""

from __future__ import annotations

from errno import ENOENT
from typing import NamedTuple

from adapters.linux import seccomp
from adapters.sim.generic_machine import generic_machine
from adapters.sim.spawn import find_program
from adapters.sim.spec import CORES, ProcessorSpec
from domain.errors import HostFault

# Where firmware expects a network device, it has one without a network.
_DEVICES = {"lm3s6965evb": ("-nic", "user,restrict=on")}

LOGGED = "guest_errors,unimp"
"""What QEMU logs of the firmware's mistakes; since QEMU 10 `invalid_mem`, too (qemu.py)."""

_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


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
            hint=f"install QEMU (Debian: {core.program})",
        )
    return [
        program,
        *(generic_machine(spec) if spec.generic else ("-M", spec.machine, "-cpu", core.model)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"),
        *("-accel", "tcg,thread=single,tb-size=8"),
        *("-S", "-action", "reboot=shutdown,shutdown=pause,watchdog=pause"),
        # On a kernel without filters, QEMU knows no such option. The confinement tells of it.
        *(("-sandbox", _SANDBOX) if seccomp.is_available() else ()),
        *("-d", LOGGED),
        *("-chardev", f"socket,id=qmp,fd={fds.qmp}", "-mon", "chardev=qmp,mode=control"),
        *("-semihosting-config", "enable=on,target=gdb"),
        *_serial(spec.console, fds.console),
        *_DEVICES.get(spec.machine, ()),
        *core.options,
        *spec.options,
        *_firmware(spec, f"/proc/self/fd/{fds.firmware}"),
    ]


def _firmware(spec: ProcessorSpec, path: str) -> tuple[str, ...]:
    if not spec.generic:
        return ("-kernel", path)
    # A core that reads no vectors starts at the entry point.
    start = "" if CORES[spec.core].has_vectors else ",cpu-num=0"
    return ("-device", f"loader,file={path}{start}")


def _serial(name: str, console: int) -> tuple[str, ...]:
    """Return the arguments that connect the console to the UART of that name; `uart` is uart1."""
    if console < 0:
        return ("-serial", "none")
    before = int(name.removeprefix("uart") or 1) - 1
    unused = ("-serial", "null") * before
    return (*unused, "-chardev", f"socket,id=con,fd={console}", "-serial", "chardev:con")
