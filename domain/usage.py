"""What the processes of a container use on the Linux side."""

from __future__ import annotations

from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping


class Amount(NamedTuple):
    """How much is in use, the most that was, and the limit; None: there is none, or not known."""

    now: int = 0
    peak: int | None = None
    limit: int | None = None
    refused: int = 0  # how often the limit was hit


class Usage(NamedTuple):
    """Memory and swap in bytes, times in nanoseconds.

    `memory_facts` are the kernel's own (memory.stat, by its names there), which differ between
    the versions of control groups. `oom_kills`: how many processes the kernel has killed for
    want of memory. `throttled`: periods, throttled periods, and nanoseconds throttled.
    """

    processes: Amount = Amount()
    cpu: int = 0
    cpu_user: int = 0
    cpu_system: int = 0
    throttled: tuple[int, int, int] = (0, 0, 0)
    memory: Amount = Amount()
    swap: Amount = Amount()  # version 1 counts memory and swap together
    memory_facts: Mapping[str, int] = {}
    oom_kills: int = 0


def bytes_for_people(size: int) -> str:
    """Return a size as `64 MiB`, in the largest unit that divides it."""
    for unit in ("bytes", "KiB", "MiB"):
        if size % 1024 or not size:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} GiB"
