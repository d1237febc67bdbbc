"""Derives how the firmware ended from QEMU's events, exit status and error output."""

from __future__ import annotations

import os
import re

from adapters.sim.confinement import LARGEST_EXIT_CODE
from domain.processor import FirmwareExit

_REGISTER_PC = re.compile(r"\bR15=([0-9a-f]{8})| pc +([0-9a-f]{8,16})")
_NO_ERROR = re.compile(r"(^|: )(warning|info): ")  # perhaps behind the option that it is about
_LONGEST = 160


def from_qmp_event(name: str, data: dict[str, object]) -> FirmwareExit | None:
    """Return how the firmware ended by a QMP event, if it is one of an end; QEMU then pauses."""
    if name == "WATCHDOG":
        return FirmwareExit(True, None, "watchdog")
    if name == "GUEST_PANICKED":
        return FirmwareExit(True, None, "the firmware panicked")
    if name != "SHUTDOWN":
        return None
    if not data.get("guest"):
        return FirmwareExit(True, None, "the simulator (QEMU) was told to quit")
    if data.get("reason") == "guest-reset":
        return FirmwareExit(True, None, "the firmware reset the processor")
    if data.get("reason") == "guest-panic":  # the test device of RISC-V machines, in QEMU 10
        return FirmwareExit(True, None, "the firmware gave up")
    return FirmwareExit(False, 0, "the firmware switched itself off")


def from_wait_status(
    status: int, stderr: str, crash_code: int, whole_code: int | None = None
) -> FirmwareExit:
    """Return how the firmware ended by the end of QEMU; `status` is that of waitpid.

    `crash_code` is the exit code by which QEMU reports a crash of the core, 0 for none.
    `whole_code` is the exit code if it has more bits than a wait status.
    """
    if os.WIFSIGNALED(status):
        fatal = _line(stderr, "qemu: fatal: ")
        if fatal:
            pc = _REGISTER_PC.search(stderr)
            where = f" at 0x{pc[1] or pc[2]}" if pc else ""
            return FirmwareExit(
                True, None, f"{'lockup' if fatal.startswith('Lockup') else fatal}{where}"
            )
        return FirmwareExit(
            True, None, f"the simulator (QEMU) was killed by signal {os.WTERMSIG(status)}"
        )
    if whole_code is not None:
        most = LARGEST_EXIT_CODE
        return FirmwareExit(False, most, f"exit code {whole_code}, which counts as {most}")
    code = os.WEXITSTATUS(status)
    error = error_message(stderr)
    if code == 1 and error:
        return FirmwareExit(True, None, f"the simulator (QEMU) failed: {error}")
    if code and code == crash_code:
        return FirmwareExit(True, None, f"the firmware gave up with code {code}")
    return FirmwareExit(False, code, f"exit code {code}")


def error_message(stderr: str) -> str:
    """Return the first error in QEMU's error output, or an empty string."""
    for line in stderr.splitlines():
        program, colon, text = line.partition(": ")
        ours = colon and program.startswith("qemu")
        if ours and not _NO_ERROR.search(text):
            return text[:_LONGEST]
    return ""


def _line(text: str, start: str) -> str:
    for line in text.splitlines():
        if line.startswith(start):
            return line[len(start) :][:_LONGEST]
    return ""
