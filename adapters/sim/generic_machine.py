"""Runs QEMU with the library generic-machine.so, which adds what a board file describes.

The library is a program of its own, in the directory generic-machine, under QEMU's licence. The
runtime works without it; only processors of `machine: generic` need it.
"""

from __future__ import annotations

import os
from errno import ENOENT

from adapters.sim.spec import CORES, ProcessorSpec
from domain.errors import HostFault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.sim.rpmsg.link import RpmsgLink

_NAME = "generic-machine.so"
_CHECKOUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
_PLACES = (
    os.path.normpath(f"{_CHECKOUT}/generic-machine/build"),
    "/usr/local/lib/remoteproc-runtime",
    "/usr/lib/remoteproc-runtime",
)


def library(spec: ProcessorSpec) -> str:
    """Return the path of the library. Raises HostFault if there is none."""
    for place in _PLACES:
        if os.path.exists(f"{place}/{_NAME}"):
            return f"{place}/{_NAME}"
    raise HostFault(
        f"cannot simulate {spec.name}: its machine `generic` needs {_NAME}, which is not installed",
        errno=ENOENT,
        hint="build it with `make -C generic-machine install`, or choose another board",
    )


def environment(spec: ProcessorSpec, link: RpmsgLink | None = None) -> Mapping[str, str]:
    """Return the environment of the processor's QEMU. Raises HostFault."""
    if not spec.generic:
        return {}
    description = link.description if link else spec.generic
    return {"LD_PRELOAD": library(spec), "REMOTEPROC_MACHINE": description}


def open_link(spec: ProcessorSpec, firmware: int) -> RpmsgLink | None:
    """Return Linux' side of rpmsg, for the ELF file in the descriptor; None without a mailbox."""
    if spec.mailbox is None:
        return None
    from adapters.sim.rpmsg.link import RpmsgLink  # only where there is a mailbox

    return RpmsgLink(spec, firmware, spec.mailbox)


def generic_machine(spec: ProcessorSpec) -> tuple[str, ...]:
    """Return QEMU's arguments for the machine; the library makes a core that reads vectors."""
    core = CORES[spec.core]
    return ("-M", "none") if core.has_vectors else ("-M", "none", "-cpu", core.model)
