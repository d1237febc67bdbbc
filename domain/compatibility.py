"""Whether firmware fits a processor whose core and memory are known, as a simulated one's are.

The kernel refuses segments outside the processor's memory (rproc_da_to_va finds no address:
EINVAL) and resource entries that it cannot serve. The kernel does not know which code the core
can execute: it would start any. So an adapter that knows the core must check that.
"""

from __future__ import annotations

from domain.arm import ArmArchitecture
from domain.elf import ElfFacts, machine_name
from domain.errors import FirmwareUnfit
from domain.light_types import NamedTuple
from domain.resource_table import Devmem, ResourceTable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

_RELINK = "link the firmware for this processor, or choose another one"


class Region(NamedTuple):
    """Memory of a processor, at the processor's own addresses; size in bytes."""

    name: str
    address: int
    size: int

    def __str__(self) -> str:
        return f"{self.name} {self.address:#x}-{self.address + self.size:#x}"

    def holds(self, address: int, size: int) -> bool:
        """Tell whether `size` bytes at `address` lie inside."""
        return self.address <= address and address + size <= self.address + self.size


class Core(NamedTuple):
    """A core: `name` for people; `machine` is the ELF file's e_machine; `arm` None if unknown."""

    name: str
    bits: int
    machine: int
    arm: ArmArchitecture | None = None


def check_core(facts: ElfFacts, core: Core, name: str = "the firmware") -> None:
    """Raise FirmwareUnfit unless the core can execute the code of the ELF file."""
    if (facts.machine, facts.bits) != (core.machine, core.bits):
        raise FirmwareUnfit(
            f"{name} is {facts.bits}-bit {machine_name(facts.machine)} code, "
            f"but {core.name} executes {core.bits}-bit {machine_name(core.machine)} code",
            hint=_RELINK,
        )
    if facts.arm and core.arm and not facts.arm.runs_on(core.arm):
        raise FirmwareUnfit(
            f"{name} is built for Arm {facts.arm}, but {core.name} is Arm {core.arm}",
            hint=_RELINK,
        )


def check_memory(facts: ElfFacts, regions: Sequence[Region], name: str = "the firmware") -> None:
    """Raise FirmwareUnfit unless each segment lies inside one region.

    A segment that spans two adjacent regions is refused, as the kernel does.
    """
    for segment in facts.segments:
        address, size = segment.physical, segment.memory_size
        if size and not any(region.holds(address, size) for region in regions):
            memory = ", ".join(map(str, regions)) or "none"
            raise FirmwareUnfit(
                f"{name} has a segment at {address:#x}-{address + size:#x}, which is not inside "
                f"the processor's memory: {memory}",
                hint=_RELINK,
            )


def check_resources(table: ResourceTable, name: str = "the firmware") -> None:
    """Raise FirmwareUnfit for entries that the kernel refuses on a processor without an IOMMU."""
    for entry in table.entries:
        if isinstance(entry, Devmem):
            raise FirmwareUnfit(
                f"{name} asks for devmem {entry.name!r} at {entry.address:#x}, "
                "which takes an IOMMU, and the processor has none",
                hint="take the devmem entry out of the resource table",
            )
