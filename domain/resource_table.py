"""Reads a firmware's resource table: what the firmware asks of the kernel and offers to it.

Sources: Linux include/linux/remoteproc.h (layout), drivers/remoteproc/remoteproc_core.c
(rproc_handle_resources and what it calls) and remoteproc_elf_loader.c (find_table).
"""

from __future__ import annotations

from struct import Struct

from domain.errors import FirmwareUnfit
from domain.light_types import NamedTuple
from domain.text import printable
from domain.trace_buffer import BUFFERS_LIMIT
from domain.trace_buffer import SIZE_LIMIT as TRACES_SIZE_LIMIT

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

ANY_ADDRESS = 0xFFFF_FFFF
"""FW_RSC_ADDR_ANY: the host chooses the address."""

ENTRIES_LIMIT = 1024
"""The most entries. Each may cost the kernel a debugfs file or a device."""

CARVEOUT, DEVMEM, TRACE, VDEV = range(4)
"""Types of entries: each entry begins with its type, in four bytes."""

_VENDOR_START, _VENDOR_END = 128, 512

HEADER = Struct("<4I")  # struct resource_table, without the entries' offsets that follow
MEMORY = Struct("<5I32s")  # struct fw_rsc_carveout and fw_rsc_devmem
BUFFER = Struct("<3I32s")  # struct fw_rsc_trace
DEVICE = Struct("<5I4B")  # struct fw_rsc_vdev, without the vrings that follow
VRING = Struct("<5I")  # struct fw_rsc_vdev_vring

HINT = "correct the firmware's resource table (.resource_table) and build it again"


class UnusableTable(FirmwareUnfit):
    """The table's header is damaged in a way that every kernel notices.

    Some drivers then refuse the firmware; others (i.MX, STM32) run it as firmware without a table.
    """


class Carveout(NamedTuple):
    """Memory that the kernel must allocate. Sizes in bytes, addresses of the processor."""

    address: int
    physical: int
    size: int
    flags: int
    name: str


class Devmem(NamedTuple):
    """Peripheral registers that the kernel must map in the processor's IOMMU."""

    address: int
    physical: int
    size: int
    flags: int
    name: str


class Trace(NamedTuple):
    """A buffer into which the firmware prints; the n-th one is debugfs `trace<n>`."""

    address: int
    size: int
    name: str


class Vring(NamedTuple):
    """One queue of a virtio device; `buffers` is its length."""

    address: int
    align: int
    buffers: int
    notify_id: int
    physical: int


class Vdev(NamedTuple):
    """A virtio device; `id` as in virtio_ids.h (7 is rpmsg), `config_size` in bytes."""

    id: int
    notify_id: int
    features: int
    config_size: int
    vrings: tuple[Vring, ...]


class Other(NamedTuple):
    """An entry that the framework leaves to the driver (`vendor`) or ignores."""

    type: int
    vendor: bool


Entry = Carveout | Devmem | Trace | Vdev | Other


class ResourceTable(NamedTuple):
    """The entries in the table's order."""

    entries: tuple[Entry, ...]


def parse(data: bytes, name: str = "the firmware") -> ResourceTable:
    """Read a table of version 1; messages call the firmware `name`.

    Raises UnusableTable where kernels find no table in the section, FirmwareUnfit where kernels
    refuse to start, or would read outside the table.
    """
    if len(data) < HEADER.size:
        raise UnusableTable(
            f"{name} has a resource table of {len(data)} bytes, less than its header", hint=HINT
        )
    version, count, *reserved = HEADER.unpack_from(data)
    if version != 1:
        raise UnusableTable(f"{name} has a resource table of version {version}, not 1", hint=HINT)
    if any(reserved):
        raise UnusableTable(f"{name} has a resource table with reserved fields set", hint=HINT)
    if count > ENTRIES_LIMIT or HEADER.size + 4 * count > len(data):
        # Not UnusableTable: old 32-bit kernels wrap when they compute the size from this count.
        raise FirmwareUnfit(
            f"{name} has a resource table of {len(data)} bytes that claims {count} entries",
            hint=HINT,
        )
    offsets = Struct(f"<{count}I").unpack_from(data, HEADER.size)
    table = ResourceTable(tuple(_Entry(data, i, at, name).read() for i, at in enumerate(offsets)))
    _check_traces(traces(table), name)
    return table


def _check_traces(buffers: Sequence[Trace], name: str) -> None:
    """Refuse what would keep the supervisor, which reads all buffers again and again, busy."""
    size = sum(buffer.size for buffer in buffers)
    if len(buffers) > BUFFERS_LIMIT:
        problem = f"asks for {len(buffers)} trace buffers, more than {BUFFERS_LIMIT}"
    elif size > TRACES_SIZE_LIMIT:
        problem = f"asks for trace buffers of {size} bytes in all, over 1 MiB"
    else:
        return
    raise FirmwareUnfit(f"{name} {problem}", hint=HINT)


def traces(table: ResourceTable) -> tuple[Trace, ...]:
    """Return the trace buffers, in the order of debugfs `trace0`, `trace1`, ..."""
    return tuple(entry for entry in table.entries if isinstance(entry, Trace))


class _Entry:
    """Reads one entry; messages count entries from 0, as the kernel's log does."""

    __slots__ = ("at", "data", "index", "name")

    def __init__(self, data: bytes, index: int, at: int, name: str) -> None:
        self.data = data
        self.index = index
        self.at = at
        self.name = name

    def read(self) -> Entry:
        # The kernel reads the offset as a signed number: a huge one would lie before the table.
        self._need(4, "entry")
        kind = int.from_bytes(self.data[self.at : self.at + 4], "little")
        self.at += 4
        if kind == CARVEOUT:
            return self._carveout()
        if kind == DEVMEM:
            return Devmem(*self._memory("devmem"))
        if kind == TRACE:
            return self._trace()
        if kind == VDEV:
            return self._vdev()
        return Other(kind, _VENDOR_START <= kind <= _VENDOR_END)

    def _carveout(self) -> Carveout:
        found = Carveout(*self._memory("carveout"))
        # The kernel passes this name to vsnprintf as the format (rproc_mem_entry_init).
        if "%" in found.name or b"\0" not in self.data[self.at + 20 : self.at + 52]:
            raise self._unfit(f"carveout {found.name!r} has a name that could crash the kernel")
        return found

    def _memory(self, what: str) -> tuple[int, int, int, int, str]:
        self._need(MEMORY.size, what)
        address, physical, size, flags, reserved, name = MEMORY.unpack_from(self.data, self.at)
        self._zero(reserved, what)
        return address, physical, size, flags, _text(name)

    def _trace(self) -> Trace:
        self._need(BUFFER.size, "trace")
        address, size, reserved, name = BUFFER.unpack_from(self.data, self.at)
        self._zero(reserved, "trace")
        return Trace(address, size, _text(name))

    def _vdev(self) -> Vdev:
        self._need(DEVICE.size, "vdev")
        (device, notify, features, _, config, _, count, *reserved) = DEVICE.unpack_from(
            self.data, self.at
        )
        self._zero(any(reserved), "vdev")
        if count > 2:
            raise self._unfit(f"vdev has {count} vrings, more than the 2 that the kernel takes")
        end = self.at + DEVICE.size + count * VRING.size
        self._need(end - self.at + config, "vdev")
        rings = tuple(map(Vring._make, VRING.iter_unpack(self.data[self.at + DEVICE.size : end])))
        if any(ring.buffers == 0 or ring.align == 0 for ring in rings):
            raise self._unfit("vdev has a vring without buffers or alignment")
        return Vdev(device, notify, features, config, rings)

    def _need(self, size: int, what: str) -> None:
        if self.at + size > len(self.data):
            raise self._unfit(f"{what} ends at {self.at + size:#x}, past the end")

    def _zero(self, reserved: int, what: str) -> None:
        if reserved:
            raise self._unfit(f"{what} has reserved fields set")

    def _unfit(self, what: str) -> FirmwareUnfit:
        size = len(self.data)
        return FirmwareUnfit(
            f"{self.name} has a bad resource table ({size:#x} bytes): entry {self.index}: {what}",
            hint=HINT,
        )


def _text(field: bytes) -> str:
    return printable(field.split(b"\0", 1)[0].decode("ascii", "backslashreplace"))
