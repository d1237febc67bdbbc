"""Checks firmware by the kernel's rules, and whether the simulated core can execute it."""

from __future__ import annotations

import os
from errno import EINVAL, ENOMEM

from adapters.images.digest import check_copy, sha256
from adapters.linux.files import write_all
from adapters.sim.spec import CORES, NO_CORE, ProcessorSpec
from domain import resource_table
from domain.compatibility import check_core, check_memory, check_resources
from domain.elf import read_elf
from domain.errors import FirmwareUnfit, host_fault
from domain.light_types import NamedTuple
from domain.resource_table import ANY_ADDRESS, Carveout, Trace, UnusableTable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from mmap import mmap

    from adapters.sim.rpmsg.vdev import RpmsgDevice
    from domain.firmware import FirmwareImage

    Content = bytes | mmap
    """The content of a firmware file; it is mapped, since the loader reads little of it."""

_CHUNK = 1 << 18


class WrongCore(FirmwareUnfit):
    """Code for another core; a driver that knows its core refuses that before it loads any."""


class CarveoutTooLarge(FirmwareUnfit):
    """A carveout larger than the processor's memory, for which the kernel returns ENOMEM."""


class Resources(NamedTuple):
    """What the kernel finds in a firmware's resource table; `table` is empty without a usable one.

    `address` is where the table is loaded.
    """

    traces: tuple[Trace, ...] = ()
    table: bytes = b""
    address: int = 0
    rpmsg: RpmsgDevice | None = None


NO_RESOURCES = Resources()


def check_firmware(data: Content, spec: ProcessorSpec, name: str = "the firmware") -> Resources:
    """Return the resources of a firmware that can run here. Raises FirmwareUnfit.

    A resource table whose header is broken is ignored, as the i.MX and STM32 drivers ignore it.
    """
    facts = read_elf(data, name)
    if spec.core != NO_CORE:
        try:
            check_core(facts, CORES[spec.core].core, name)
        except FirmwareUnfit as error:
            raise WrongCore(error.message, hint=error.hint) from error
    if spec.memory:
        check_memory(facts, spec.memory, name)
    if facts.resource_table is None:
        return NO_RESOURCES
    try:
        table = resource_table.parse(facts.resource_table, name)
    except UnusableTable:
        return NO_RESOURCES
    check_resources(table, name)
    rpmsg = None
    if spec.mailbox:
        from adapters.sim.rpmsg.vdev import find_rpmsg  # only where there is a mailbox

        rpmsg = find_rpmsg(facts, spec, name)
    total = sum(region.size for region in spec.memory)
    for entry in table.entries:
        if spec.memory and isinstance(entry, Carveout) and entry.size > total:
            raise CarveoutTooLarge(
                f"{name} asks for a carveout of {entry.size:#x} bytes, but the processor's "
                f"memory has only {total:#x}",
                hint="ask for less in the firmware's resource table",
            )
    # Nothing writes to the trace buffers of a processor that executes nothing.
    traces = () if spec.core == NO_CORE else resource_table.traces(table)
    return Resources(traces, facts.resource_table, facts.resource_table_address, rpmsg)


def kernel_errno(error: FirmwareUnfit) -> int:
    """Return the errno with which the kernel's loader refuses such firmware."""
    return ENOMEM if isinstance(error, CarveoutTooLarge) else EINVAL


def in_memory(trace: Trace, spec: ProcessorSpec) -> bool:
    """Whether a trace buffer lies in the processor's memory."""
    return trace.address != ANY_ADDRESS and any(
        region.holds(trace.address, trace.size) for region in spec.memory
    )


def content(file: int) -> Content:
    """Return the content of an open file. Raises OSError."""
    from mmap import PROT_READ, mmap

    size = os.fstat(file).st_size
    return mmap(file, size, prot=PROT_READ) if size else b""


def to_memfd(pieces: Iterable[bytes]) -> int:
    """Return a descriptor of an anonymous file, so that QEMU loads the bytes checked."""
    file = os.memfd_create("firmware")
    try:
        for piece in pieces:
            write_all(file, piece)
    except BaseException:
        os.close(file)
        raise
    return file


def copy_of(firmware: FirmwareImage) -> int:
    """Return a descriptor of a copy that nobody else has, of the private copy of the firmware.

    Raises FirmwareUnfit if that was changed, and HostFault.
    """
    source, digest = open_firmware(firmware.path), sha256(firmware.size)

    def pieces() -> Iterator[bytes]:
        while piece := os.read(source, _CHUNK):
            digest.update(piece)
            yield piece

    try:
        copy = to_memfd(pieces())
    except OSError as error:
        raise host_fault(f"cannot copy firmware {firmware.path}", error) from error
    finally:
        os.close(source)
    try:
        check_copy(firmware, digest)
    except BaseException:
        os.close(copy)
        raise
    return copy


def open_firmware(path: str) -> int:
    """Return a descriptor of the file. Raises HostFault."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise host_fault(f"cannot read firmware {path}", error) from error
