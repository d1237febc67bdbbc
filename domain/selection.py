"""Which processor of the board a container gets."""

from __future__ import annotations

from domain.annotations import how_to_name
from domain.errors import InvalidRequest, NotFound
from domain.mounts import allocation_file
from domain.processor import ProcessorInfo
from domain.text import visible

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from domain.mounts import BundleMount
    from domain.ports import Allocations


def no_processors() -> NotFound:
    """Return the error of a board without processors."""
    return NotFound(
        "this board has no remote processors",
        hint="load the kernel's remoteproc driver, or configure `backend: sim`",
    )


def choose(
    processors: list[ProcessorInfo], wanted: str, annotations: Mapping[str, str] | None = None
) -> ProcessorInfo:
    """Return the processor of this name, device or parent; the only one if `wanted` is empty.

    `annotations` are all that the container has, to tell why none of them names a processor.
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
            hint=how_to_name(annotations or {}),
        )
    found = [p for p in processors if wanted in (p.name, p.device, p.parent)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidRequest(
            f"several processors are named {visible(wanted)}",
            hint=f"say {' or '.join(p.parent or p.device for p in found)}",
        )
    raise NotFound(f"there is no processor {visible(wanted)}", hint=f"this board has {there}")


def allocated(mounts: Sequence[BundleMount], allocations: Callable[[], Allocations]) -> str:
    """Return the processor that Kubernetes has given to the container, `` if it has given none.

    An annotation of the device plugin reaches the runtime only if containerd's configuration lets
    it through, and an image can set environment variables. The mount always arrives, and an image
    cannot have it. Raises HostFault.
    """
    file = allocation_file(mounts)
    return allocations().named_by(file) if file else ""


def choose_for(
    processors: list[ProcessorInfo], given: str, wanted: str, annotations: Mapping[str, str]
) -> ProcessorInfo:
    """Return the processor that was `given` to the container, or else the `wanted` one.

    Raises InvalidRequest if the container's annotation wants another one than was given; NotFound
    and InvalidRequest as `choose` does.
    """
    if not given:
        return choose(processors, wanted, annotations)
    found = choose(processors, given)
    if wanted and choose(processors, wanted) != found:
        raise InvalidRequest(
            f"annotation remoteproc.name asks for processor {visible(wanted)}, but Kubernetes has "
            f"given this container {given}",
            hint="leave out the annotation: the request of the resource is enough",
        )
    return found
