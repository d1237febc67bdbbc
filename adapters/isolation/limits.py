"""Limits that a process gets from outside: resource limits, and its out-of-memory score."""

from __future__ import annotations

from adapters.isolation.refusals import Refusals
from adapters.linux.files import write_existing
from domain.errors import InvalidRequest
from domain.linux_config import LinuxConfig

_HINT = "root needs CAP_SYS_RESOURCE to raise limits and to lower scores"


def apply_limits(pid: int, linux_config: LinuxConfig) -> list[str]:
    """Set the limits of a process; return warnings (see Refusals).

    Raises InvalidRequest, HostFault.
    """
    refusals = Refusals(_HINT)
    if linux_config.rlimits:
        import resource

        for limit in linux_config.rlimits:
            number = getattr(resource, limit.kind, None)
            if number is None or not limit.kind.startswith("RLIMIT_"):
                raise InvalidRequest(f"process.rlimits: {limit.kind} is unknown")
            pair = (_signed(limit.soft), _signed(limit.hard))
            try:
                resource.prlimit(pid, number, pair)
            except ValueError as error:
                raise InvalidRequest(f"process.rlimits: {limit.kind}: {error}") from error
            except OSError as error:
                refusals.add(f"set {limit.kind} to {limit.soft} of {limit.hard}", error)
    score = linux_config.oom_score_adj
    if score is not None:
        try:
            write_existing(f"/proc/{pid}/oom_score_adj", b"%d" % score)
        except OSError as error:
            refusals.add(f"set process.oomScoreAdj to {score}", error)
    return refusals.warnings


def _signed(value: int) -> int:
    """Return the number as Python's `resource` takes it: -1 for no limit (all bits set)."""
    return value - (1 << 64) if value >= 1 << 63 else value
