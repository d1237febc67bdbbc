"""Finds the rpmsg device in a firmware's resource table, and fills it in as the kernel does.

Sources: Linux drivers/remoteproc/remoteproc_core.c (rproc_handle_vdev, rproc_alloc_vring),
remoteproc_virtio.c, drivers/rpmsg/virtio_rpmsg_bus.c (rpmsg_probe).
"""

from __future__ import annotations

from struct import Struct

from domain import resource_table
from domain.errors import FirmwareUnfit
from domain.light_types import NamedTuple
from domain.resource_table import ANY_ADDRESS, DEVICE, HINT, VRING, UnusableTable, Vdev

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.sim.spec import Mailbox, ProcessorSpec
    from domain.compatibility import Region
    from domain.elf import ElfFacts

MESSAGE = 512
"""Bytes of a buffer."""

_RPMSG = 7  # include/uapi/linux/virtio_ids.h
_NAME_SERVICE = 1  # the feature VIRTIO_RPMSG_F_NS
_DRIVER_OK = 7  # the status with ACKNOWLEDGE and DRIVER
_MOST_BUFFERS = 256  # in each direction
_LARGEST_RING = 1024
_QUEUES = 2

_WORD = Struct("<I")
_GUEST_FEATURES, _STATUS, _VRINGS = 16, 24, 4 + DEVICE.size  # offsets after the entry's begin
_NOTIFY_ID = 12  # in a vring

ENTRY = _VRINGS + _QUEUES * VRING.size
"""Bytes of the device's entry."""


class Ring(NamedTuple):
    """One queue: the processor's address, how many descriptors, how the used ring is aligned.

    `buffers` buffers of MESSAGE bytes are at the address `first`.
    """

    address: int
    length: int
    align: int
    first: int
    buffers: int

    @property
    def used(self) -> int:
        """The offset of the used ring."""
        return (18 * self.length + 4 + 2 + self.align - 1) // self.align * self.align

    @property
    def size(self) -> int:
        """Bytes of the whole queue (vring_size of include/uapi/linux/virtio_ring.h)."""
        return self.used + 8 * self.length + 4 + 2


class RpmsgDevice(NamedTuple):
    """`entry` is the address of the device's entry in the resource table.

    The firmware sends in the first ring, and receives in the second.
    """

    entry: int
    rings: tuple[Ring, Ring]


def find_rpmsg(facts: ElfFacts, spec: ProcessorSpec, name: str) -> RpmsgDevice | None:
    """Return the rpmsg device of a firmware; None without one. Raises FirmwareUnfit."""
    table, mailbox = facts.resource_table, spec.mailbox
    if table is None or mailbox is None:
        return None
    try:
        entries = resource_table.parse(table, name).entries
    except UnusableTable:
        return None
    for number, entry in enumerate(entries):
        if isinstance(entry, Vdev) and entry.id == _RPMSG:
            (offset,) = _WORD.unpack_from(table, 16 + 4 * number)
            at = facts.resource_table_address + offset
            return RpmsgDevice(at, _check(entry, at, spec.memory, mailbox, name))
    return None


def _check(
    vdev: Vdev, at: int, memory: Sequence[Region], mailbox: Mailbox, name: str
) -> tuple[Ring, Ring]:
    def refuse(problem: str) -> FirmwareUnfit:
        return FirmwareUnfit(f"{name} cannot have rpmsg: {problem}", hint=HINT)

    if len(vdev.vrings) != _QUEUES:
        raise refuse(f"its device has {len(vdev.vrings)} vrings, not {_QUEUES}")
    found: list[Ring] = []
    for number, vring in enumerate(vdev.vrings):
        length, align = vring.buffers, vring.align
        if not 0 < length <= _LARGEST_RING or length & (length - 1):
            raise refuse(
                f"vring {number} has {length} buffers, no power of 2 up to {_LARGEST_RING}"
            )
        if align & (align - 1) or not 4 <= align <= 1 << 16:
            raise refuse(f"vring {number} is aligned to {align}, no power of 2 from 4 to 65536")
        given = vring.address != ANY_ADDRESS
        address = vring.address if given else mailbox.vrings[number]
        first = found[0].buffers * MESSAGE if found else 0
        ring = Ring(address, length, align, mailbox.buffers + first, min(length, _MOST_BUFFERS))
        if address % max(align, 16):
            raise refuse(f"vring {number} at {address:#x} is not aligned to {max(align, 16)}")
        if not _held(memory, address, ring.size):
            raise refuse(
                f"vring {number} at {address:#x}, of {ring.size} bytes, is in no memory of the "
                "processor"
            )
        found.append(ring)
    receive, send = found
    if receive.length != send.length:
        raise refuse(f"its vrings have {receive.length} and {send.length} buffers")
    parts = [(r.address, r.size) for r in found]
    parts += [(mailbox.buffers, 2 * receive.buffers * MESSAGE), (at, ENTRY)]
    for (a, size), (b, other) in ((x, y) for i, x in enumerate(parts) for y in parts[:i]):
        if a < b + other and b < a + size:
            raise refuse(f"what is at {a:#x} and at {b:#x} overlaps: vrings, buffers or table")
    if parts[2][1] > mailbox.buffers_size:
        raise refuse(
            f"the board has {mailbox.buffers_size} bytes for buffers, and {receive.length} "
            f"buffers each way need {parts[2][1]}"
        )
    return receive, send


def _held(memory: Sequence[Region], address: int, size: int) -> bool:
    return any(region.holds(address, size) for region in memory)


def fill_in(device: RpmsgDevice, table: memoryview) -> None:
    """Write into the loaded entry, which begins `table`, what the kernel writes there."""
    for number, ring in enumerate(device.rings):
        at = _VRINGS + number * VRING.size
        _WORD.pack_into(table, at, ring.address)
        _WORD.pack_into(table, at + _NOTIFY_ID, number)
    (wanted,) = _WORD.unpack_from(table, _GUEST_FEATURES - 4)
    _WORD.pack_into(table, _GUEST_FEATURES, wanted & _NAME_SERVICE)
    table[_STATUS] = _DRIVER_OK
