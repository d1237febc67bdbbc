"""Linux' side of one split virtqueue in memory that the firmware may change as it likes.

Source: OASIS Virtual I/O Device (VIRTIO) 1.1, section 2.6. What the firmware writes are an index
and entries of the used ring; these are checked. All else is written here and never read back.
"""

from __future__ import annotations

from _thread import allocate_lock

from adapters.sim.rpmsg.vdev import MESSAGE

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.sim.rpmsg.shared_memory import SharedMemory
    from adapters.sim.rpmsg.vdev import Ring

_DEVICE_WRITES = 2  # VRING_DESC_F_WRITE
_DESCRIPTOR = 16  # bytes


class BrokenRing(Exception):
    """The firmware wrote into the used ring what no device may write."""


class Virtqueue:
    """`receives`: the firmware fills the buffers, and else reads them."""

    def __init__(self, memory: SharedMemory, ring: Ring, *, receives: bool) -> None:
        self.free = list(range(ring.buffers))
        """The buffers that are not with the firmware."""
        self._memory = memory
        self._ring = ring
        self._flags = _DEVICE_WRITES if receives else 0
        self._at = memory.offset(ring.address, ring.size)
        self._buffers = memory.offset(ring.first, ring.buffers * MESSAGE)
        self._available = (self._at + _DESCRIPTOR * ring.length) // 2
        self._used = (self._at + ring.used) // 2
        self._given: set[int] = set()
        self._given_count = self._used_count = 0
        self._barrier = allocate_lock()

    def clear(self) -> None:
        """Fill the queue with zeros."""
        self._memory.bytes[self._at : self._at + self._ring.size] = bytes(self._ring.size)

    def give(self, buffer: int, data: bytes = b"") -> None:
        """Give the firmware a buffer: with data, or to be filled."""
        length = len(data) if data else MESSAGE
        place = self._buffers + buffer * MESSAGE
        self._memory.bytes[place : place + len(data)] = data
        address = self._ring.first + buffer * MESSAGE
        entry = (
            address.to_bytes(8, "little")
            + length.to_bytes(4, "little")
            + self._flags.to_bytes(4, "little")  # and no next one
        )
        place = self._at + _DESCRIPTOR * buffer
        self._memory.bytes[place : place + _DESCRIPTOR] = entry
        halves, slot = self._memory.halves, self._given_count % self._ring.length
        halves[self._available + 2 + slot] = buffer
        self._given_count = self._given_count + 1 & 0xFFFF
        self._given.add(buffer)
        with self._barrier:  # the index is written after what it announces
            pass
        halves[self._available + 1] = self._given_count

    def take(self) -> Iterator[tuple[int, int]]:
        """Yield each buffer that the firmware has returned, and how many bytes it wrote.

        At most one queue's length of them. Raises BrokenRing.
        """
        length = self._ring.length
        now = self._memory.halves[self._used + 1]
        count = now - self._used_count & 0xFFFF
        if count > len(self._given):
            raise BrokenRing(f"used {count} buffers at once, when it had {len(self._given)}")
        with self._barrier:
            pass
        for _ in range(count):
            place = 2 * self._used + 4 + 8 * (self._used_count % length)
            entry = bytes(self._memory.bytes[place : place + 8])
            buffer = int.from_bytes(entry[:4], "little")
            written = int.from_bytes(entry[4:], "little")
            if buffer not in self._given:
                raise BrokenRing(f"returned buffer {buffer}, which it did not have")
            if written > MESSAGE:
                raise BrokenRing(f"wrote {written} bytes into a buffer of {MESSAGE}")
            self._given.remove(buffer)
            self._used_count = self._used_count + 1 & 0xFFFF
            yield buffer, written

    def read(self, buffer: int, size: int) -> bytes:
        """Return the first bytes of a buffer."""
        place = self._buffers + buffer * MESSAGE
        return bytes(self._memory.bytes[place : place + size])
