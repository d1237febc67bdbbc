"""Checks firmware by the kernel's rules, and whether the simulated core can execute it."""

from __future__ import annotations

import os
from errno import EINVAL, ENOMEM

from adapters.linux.files import write_all
from adapters.sim.spec import CORES, NO_CORE, ProcessorSpec
from domain import resource_table
from domain.compatibility import check_core, check_memory, check_resources
from domain.elf import read_elf
from domain.errors import FirmwareUnfit
from domain.resource_table import ANY_ADDRESS, Carveout, Trace, UnusableTable


class CarveoutTooLarge(FirmwareUnfit):
    """A carveout larger than the processor's memory, for which the kernel returns ENOMEM."""


def check_firmware(
    data: bytes, spec: ProcessorSpec, name: str = "the firmware"
) -> tuple[Trace, ...]:
    """Return the trace buffers of a firmware that can run here. Raises FirmwareUnfit.

    A resource table whose header is broken is ignored, as the i.MX and STM32 drivers ignore it.
    """
    facts = read_elf(data, name)
    if spec.core != NO_CORE:
        check_core(facts, CORES[spec.core].core, name)
    if spec.memory:
        check_memory(facts, spec.memory, name)
    if facts.resource_table is None:
        return ()
    try:
        table = resource_table.parse(facts.resource_table, name)
    except UnusableTable:
        return ()
    check_resources(table, name, iommu=False)
    total = sum(region.size for region in spec.memory)
    for entry in table.entries:
        if spec.memory and isinstance(entry, Carveout) and entry.size > total:
            raise CarveoutTooLarge(
                f"{name} asks for a carveout of {entry.size:#x} bytes, but the processor's "
                f"memory has only {total:#x}",
                hint="ask for less in the firmware's resource table",
            )
    # Nothing writes to the trace buffers of a processor that executes nothing.
    return () if spec.core == NO_CORE else resource_table.traces(table)


def kernel_errno(error: FirmwareUnfit) -> int:
    """Return the errno with which the kernel's loader refuses such firmware."""
    return ENOMEM if isinstance(error, CarveoutTooLarge) else EINVAL


def in_memory(trace: Trace, spec: ProcessorSpec) -> bool:
    """Whether a trace buffer lies in the processor's memory."""
    return trace.address != ANY_ADDRESS and any(
        region.holds(trace.address, trace.size) for region in spec.memory
    )


def to_memfd(data: bytes) -> int:
    """Return a descriptor of an anonymous file, so that QEMU loads the bytes checked."""
    fd = os.memfd_create("firmware")
    write_all(fd, data)
    return fd
