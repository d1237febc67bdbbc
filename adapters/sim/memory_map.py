"""Whether a machine of QEMU's has the memory that a board file says, and has it once.

QEMU itself tells, by `info mtree`. It cannot tell of memory behind a TrustZone controller, nor of a
board whose `options` may change the memory: that is not checked.
"""

from __future__ import annotations

import os
import re

from adapters.config.parsed_cache import remember
from adapters.sim.machines import ask
from adapters.sim.spawn import find_program
from adapters.sim.spec import CORES, NO_CORE, ProcessorSpec
from domain.errors import InvalidRequest

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.compatibility import Region

    Part = tuple[int, int, str]
    """First address, the address after the last one, and what is there: empty if QEMU hides it."""

_VIEW = re.compile(
    r"FlatView #\d+\r?\n((?: AS .*\r?\n)+) Root .*\r?\n((?:  [0-9a-f]{16}-.*\r?\n)+)"
)
_PART = re.compile(r"  ([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, ([a-z/]+)\): (.*)")
_MEMORY = ("ram", "rom", "romd")
_HIDES = "tz-mpc-upstream"


def check_memory_maps(specs: Sequence[ProcessorSpec], path: str, cache: str) -> None:
    """Raise InvalidRequest for memory that a machine does not have, or shows twice.

    `cache` is that of adapters.config.parsed_cache: QEMU is asked once for each machine.
    """
    told: dict[tuple[str, str], Sequence[Part]] = {}
    for spec in specs:
        if spec.core == NO_CORE or spec.generic or spec.options:
            continue
        which = (spec.core, spec.machine)
        if which not in told:
            told[which] = _parts(spec, cache)
        if words := _problem(spec, told[which]):
            raise InvalidRequest(
                f"{path}: processor {spec.name!r}: {words}",
                hint=f"`info mtree -f` in QEMU's monitor shows the memory of {spec.machine}",
            )


def _problem(spec: ProcessorSpec, parts: Sequence[Part]) -> str:
    """Return what is wrong with the memory of a processor; nothing if QEMU has told nothing."""
    seen: list[tuple[Region, int, int, str]] = []
    for region in spec.memory if parts else ():
        at, end = region.address, region.address + region.size
        for first, after, what in parts:
            if first <= at < after:
                size = min(after, end) - at
                name, _, offset = what.partition(" @")
                begin = int(offset or "0", 16) + at - first
                for other, low, high, same in seen:
                    if name and same == name and begin < high and low < begin + size:
                        return f"memory {region.name!r} is the same as memory {other.name!r}"
                seen.append((region, begin, begin + size, name))
                at += size
        if at < end:
            return f"{spec.machine} has no memory at {at:#x}, in memory {region.name!r}"
    return ""


def _parts(spec: ProcessorSpec, cache: str) -> Sequence[Part]:
    core = CORES[spec.core]
    program = find_program(core.program)
    if not program:
        return ()
    about = os.stat(program)
    words = (program, "-M", spec.machine, "-cpu", core.model, *core.options)
    key = f"{words} {about.st_mtime_ns} {about.st_size}"
    return [(a, b, what) for a, b, what in remember(cache, key, lambda: _ask(words))]


def _ask(words: Sequence[str]) -> list[Part]:
    """Return the memory that the first core sees, by address; none if QEMU does not tell."""
    rest = ("-nodefaults", "-no-user-config", "-display", "none", "-S", "-monitor", "stdio")
    for spaces, lines in _VIEW.findall(ask((*words, *rest), b"info mtree -f\nquit\n")):
        if '"cpu-memory-0"' in spaces:
            found = map(_PART.match, lines.splitlines())
            return [
                (int(part[1], 16), int(part[2], 16) + 1, "" if part[4] == _HIDES else part[4])
                for part in found
                if part and (part[3] in _MEMORY or part[4] == _HIDES)
            ]
    return []
