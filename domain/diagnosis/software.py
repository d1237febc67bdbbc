"""Checks of the software: Python, packages, kernel, directories, users."""

from __future__ import annotations

from collections.abc import Iterator

from domain.diagnosis.finding import FAIL, OK, WARN, Finding
from domain.diagnosis.host import Host

_PYTHON = (3, 10)
_PACKAGES = {"click": (8, 1, 3), "protobuf": (3, 20), "PyYAML": (6,)}
_DEBIAN = {"click": "python3-click", "protobuf": "python3-protobuf", "PyYAML": "python3-yaml"}
_KERNEL = (5, 3)
_ROOM = 64 << 20  # bytes: the largest firmware, unless the configuration says otherwise
# What goes without the option, where the kernel needs none of them to run firmware.
_OPTIONS = {
    "REMOTEPROC_CDEV": "firmware runs on until the next command if its supervisor is killed",
    "RPMSG_TTY": "remoteproc.console = rpmsg finds no tty",
    "RPMSG_CHAR": "programs have no /dev/rpmsgN",
    "DEBUG_FS": "there is no trace output of firmware",
    "FW_LOADER_COMPRESS": "other drivers' compressed firmware does not load; ours needs it not",
}


def _numbers(version: str) -> tuple[int, ...]:
    found = []
    for part in version.replace("-", ".").replace("+", ".").split("."):
        if not part.isdecimal():
            break
        found.append(int(part))
    return tuple(found)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def configuration(host: Host) -> Iterator[Finding]:
    """The configuration file has no mistake."""
    if host.configuration_problem:
        yield Finding(
            FAIL, "configuration", host.configuration_problem, "mend it; see docs/configuration.md"
        )


def python(host: Host) -> Iterator[Finding]:
    """The interpreter and the packages are new enough."""
    shown = _dotted(host.python)
    if host.python < _PYTHON:
        yield Finding(FAIL, "python", f"{shown} is too old", f"use {_dotted(_PYTHON)} or newer")
    else:
        yield Finding(OK, "python", shown)
    for name, floor in _PACKAGES.items():
        version = host.packages.get(name, "")
        if not version and name == "protobuf" and not any(e.needs_shim for e in host.engines):
            yield Finding(OK, "python", "protobuf is missing, which only containerd's shim needs")
        elif not version:
            yield Finding(FAIL, "python", f"{name} is missing", f"install {_DEBIAN[name]}")
        elif _numbers(version) < floor:
            text = f"{name} {version} is older than {_dotted(floor)}"
            yield Finding(FAIL, "python", text, f"install a newer {_DEBIAN[name]}")
        else:
            yield Finding(OK, "python", f"{name} {version}")


def bytecode(host: Host) -> Iterator[Finding]:
    """No start compiles the modules again."""
    if host.bytecode_problem:
        advice = "run `python3 -m compileall` on that directory while it is writable"
        yield Finding(WARN, "bytecode", host.bytecode_problem, advice)
    else:
        yield Finding(OK, "bytecode", "compiled")


def kernel(host: Host) -> Iterator[Finding]:
    """The kernel is new enough, and has what the runtime uses."""
    if host.board.backend != "sysfs":
        return
    old = _numbers(host.board.kernel) < _KERNEL
    text = f"Linux {host.board.kernel}" + (" is too old" if old else "")
    advice = f"pidfds need {_dotted(_KERNEL)} or newer" if old else ""
    yield Finding(FAIL if old else OK, "kernel", text, advice)
    if host.board.options is None:
        yield Finding(
            WARN,
            "kernel",
            "its configuration cannot be read in /proc/config.gz, /boot or /lib/modules",
            "look for CONFIG_REMOTEPROC and CONFIG_REMOTEPROC_CDEV where it was built",
        )
        return
    if "REMOTEPROC" not in host.board.options:
        advice = "build the kernel with it, and with the driver of the SoC"
        yield Finding(FAIL, "kernel", "CONFIG_REMOTEPROC is not set", advice)
    for option, loss in _OPTIONS.items():
        if option in host.board.options:
            yield Finding(OK, "kernel", f"CONFIG_{option} is set")
        else:
            advice = f"without it, {loss}"
            yield Finding(WARN, "kernel", f"CONFIG_{option} is not set", advice)


def simulators(host: Host) -> Iterator[Finding]:
    """The programs that execute simulated processors are there."""
    for program in host.board.simulators:
        advice = f"install QEMU (Debian: {program})"
        yield Finding(FAIL, "simulator", f"{program} is missing", advice)


def firmware(host: Host) -> Iterator[Finding]:
    """Firmware can be published where the kernel looks, and nothing is left there."""
    if host.board.backend != "sysfs":
        return
    if host.board.firmware_problem:
        yield Finding(
            FAIL,
            "firmware",
            host.board.firmware_problem,
            "on a read-only root, add firmware_class.path=/var/lib/remoteproc-runtime/firmware to "
            "the kernel's command line, and make that directory",
        )
        return
    where = host.board.firmware_directory
    if host.board.free < _ROOM:
        text = f"{host.board.free >> 20} MiB are free in {where}"
        yield Finding(WARN, "firmware", text, f"make room: firmware may have {_ROOM >> 20} MiB")
    else:
        yield Finding(OK, "firmware", f"published in {where}")
    for name in host.board.leftovers:
        advice = "the next start on that processor removes it"
        yield Finding(WARN, "firmware", f"{name} is left in {where}", advice)


def run_directory(host: Host) -> Iterator[Finding]:
    """Containers and owners can be recorded."""
    if host.run_problem:
        advice = "set `run-directory`, or make this one with systemd-tmpfiles --create"
        yield Finding(FAIL, "run directory", host.run_problem, advice)
    else:
        yield Finding(OK, "run directory", host.run_directory)


def rootless(host: Host) -> Iterator[Finding]:
    """A user who is not root has what engines need."""
    if host.privileged:
        return
    if not host.subordinate_ids:
        text = f"{host.user} has no ids in /etc/subuid and /etc/subgid"
        advice = f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {host.user}"
        yield Finding(WARN, "rootless", text, advice)
    if not host.runtime_directory:
        advice = "log in with a session of systemd, or make a directory and set it"
        yield Finding(WARN, "rootless", "XDG_RUNTIME_DIR is not set", advice)
    if host.subordinate_ids and host.runtime_directory:
        yield Finding(OK, "rootless", f"{host.user} can use engines")
