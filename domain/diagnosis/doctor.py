"""All checks, in the order in which `doctor` tells of them."""

from __future__ import annotations

from domain.diagnosis import engines, hardware, software
from domain.diagnosis.finding import Finding
from domain.diagnosis.host import Host

_CHECKS = (
    software.configuration,
    software.python,
    software.bytecode,
    software.kernel,
    software.simulators,
    hardware.processors,
    hardware.debugfs,
    hardware.kernel_log,
    software.firmware,
    software.run_directory,
    engines.engines,
    software.rootless,
)


def diagnose(host: Host) -> list[Finding]:
    """Return the findings of all checks."""
    return [finding for check in _CHECKS for finding in check(host)]
