"""What firmware writes into the memory that it shares with Linux' side of rpmsg."""

from __future__ import annotations

from adapters.sim.rpmsg.channels import HEADER, KEPT, LARGEST, MOST, Channels
from adapters.sim.rpmsg.shared_memory import SharedMemory
from adapters.sim.rpmsg.vdev import MESSAGE, Ring
from adapters.sim.rpmsg.virtqueue import BrokenRing, Virtqueue
from tests.fuzz.target import target

_BUFFERS = 4


@target(1 << 12, BrokenRing)
def virtqueue(data: bytes) -> None:
    """Each three bytes: where the firmware writes a byte, which, and then Linux looks."""
    memory = SharedMemory("ram 20000000 1000 20000000")
    try:
        queue = Virtqueue(
            memory, Ring(0x20000000, _BUFFERS, 16, 0x20000400, _BUFFERS), receives=True
        )
        queue.clear()
        for at, value, gives in zip(data[::3], data[1::3], data[2::3], strict=False):
            if gives & 1 and queue.free:
                queue.give(queue.free.pop())
            memory.bytes[at] = value
            for buffer, size in queue.take():
                assert buffer < _BUFFERS and buffer not in queue.free
                assert len(queue.read(buffer, size)) == size <= MESSAGE
                queue.free.append(buffer)
    finally:
        memory.close()


@target(1 << 13)
def rpmsg_messages(data: bytes) -> None:
    """The first byte of each message is its length, before that are none but the header's."""
    channels = Channels()
    while data:
        size, data = HEADER.size + data[0], data[1:]
        channels.receive(data[:size])
        data = data[size:]
    assert len(channels.open) <= MOST and len(channels.pending) <= KEPT
    assert len(channels.remarks) <= MOST + 1
    assert all(words.isprintable() and len(words) < LARGEST for words in channels.remarks)
