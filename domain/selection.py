"""Which processor of the board a container gets."""

from __future__ import annotations

from domain.errors import InvalidRequest, NotFound
from domain.processor import ProcessorInfo


def no_processors() -> NotFound:
    """Return the error of a board without processors."""
    return NotFound(
        "this board has no remote processors",
        hint="load the kernel's remoteproc driver, or configure `backend: sim`",
    )


def choose(processors: list[ProcessorInfo], wanted: str) -> ProcessorInfo:
    """Return the processor of this name or device; the only processor if `wanted` is empty.

    Raises NotFound, and InvalidRequest where several would do; the hint lists the processors.
    """
    there = ", ".join(f"{p.name} ({p.device})" for p in processors) or "none"
    if not processors:
        raise no_processors()
    if not wanted:
        if len(processors) == 1:
            return processors[0]
        raise InvalidRequest(
            f"no processor is named, and this board has {there}",
            hint="name one with the annotation remoteproc.name",
        )
    found = [p for p in processors if wanted in (p.name, p.device)]
    if len(found) == 1:
        return found[0]
    if found:
        devices = " or ".join(p.device for p in found)
        raise InvalidRequest(f"several processors are named {wanted}", hint=f"say {devices}")
    raise NotFound(f"there is no processor {wanted}", hint=f"this board has {there}")
