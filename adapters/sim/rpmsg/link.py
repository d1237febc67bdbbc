"""Linux' side of the mailbox and of rpmsg, for one run of a firmware.

As the kernel does, it fills in the resource table before the firmware starts. But it fills the
queue for the firmware's messages only when the firmware listens: some vendors' start-up code clears
the memory first.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_STREAM, socketpair

from adapters.sim.loader import content
from adapters.sim.rpmsg.channels import HEADER, LARGEST, Channels
from adapters.sim.rpmsg.shared_memory import SharedMemory
from adapters.sim.rpmsg.vdev import ENTRY, fill_in, find_rpmsg
from adapters.sim.rpmsg.virtqueue import BrokenRing, Virtqueue
from adapters.sim.uart import read_available
from domain.elf import read_elf

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from adapters.sim.rpmsg.vdev import RpmsgDevice
    from adapters.sim.spec import Mailbox, ProcessorSpec

_FROM_FIRMWARE, _TO_FIRMWARE = 0, 1  # queues, and their numbers in the mailbox


class RpmsgLink:
    """`fd` becomes readable when the firmware rings; -1 after `close`."""

    def __init__(self, spec: ProcessorSpec, firmware: int, mailbox: Mailbox) -> None:
        """The ELF file in the descriptor has been checked. Raises OSError."""
        facts = read_elf(content(firmware))
        self.memory = SharedMemory(spec.generic)
        ours, childs = socketpair(AF_UNIX, SOCK_STREAM)
        ours.setblocking(False)
        childs.setblocking(False)
        self.fd, self._childs = ours.detach(), childs.detach()
        lines = " ".join(map(str, (*mailbox.irqs, -1)[:2]))
        self.description = (
            f"shared {self.memory.fd};{spec.generic};"
            f"mailbox {mailbox.kind} {mailbox.address:x} {lines} {self._childs}"
        )
        """What generic-machine.so takes."""
        self.inherited = (self.memory.fd, self._childs)
        self.channels = Channels()
        self._listens = False
        self.device = find_rpmsg(facts, spec, "the firmware")
        """None if the firmware does not ask for rpmsg."""
        self._rings = self._queues(self.device) if self.device else None

    def _queues(self, device: RpmsgDevice) -> tuple[Virtqueue, Virtqueue]:
        receive, send = device.rings
        return Virtqueue(self.memory, receive, receives=True), Virtqueue(
            self.memory, send, receives=False
        )

    def begin(self) -> None:
        """Fill in the resource table, which QEMU has loaded."""
        os.close(self._childs)
        self._childs = -1
        if self.device and self._rings:
            entry = self.memory.offset(self.device.entry, ENTRY)
            if entry >= 0:  # as in the kernel, a table that is not loaded is no error
                fill_in(self.device, self.memory.bytes[entry : entry + ENTRY])
            for ring in self._rings:
                ring.clear()

    def receive(self) -> bytes | None:
        """Handle what the firmware has rung for; b"" if nothing that comes matters any more."""
        if self._rings is None:
            return b""  # whatever it rings for
        rung = read_available(self.fd)
        if rung:
            if not self._listens:
                self._listens = True
                while self._rings[0].free:
                    self._rings[0].give(self._rings[0].free.pop(0))
                self._ring(_FROM_FIRMWARE)
            self._serve(self._rings)
        return rung

    def _serve(self, rings: tuple[Virtqueue, Virtqueue]) -> None:
        receiving, sending = rings
        try:
            taken = 0
            for buffer, size in receiving.take():
                message = receiving.read(buffer, size)
                receiving.give(buffer)
                self.channels.receive(message)
                taken += 1
            if taken:
                self._ring(_FROM_FIRMWARE)
            sending.free += [buffer for buffer, _ in sending.take()]
        except BrokenRing as error:
            self._rings = None
            self.channels.remarks.append(
                f"rpmsg is off, since the firmware broke the rings: it {error}"
            )

    def _ring(self, queue: int) -> None:
        try:
            os.write(self.fd, bytes((queue,)))
        except OSError:
            pass  # QEMU has bytes that it has not read yet, or has ended

    def take_remarks(self) -> list[str]:
        """Return what is new of channels and mistakes since the last call."""
        found, self.channels.remarks = self.channels.remarks, []
        return found

    def write(self, data: bytes) -> int:
        """Send to the console's channel; return how many bytes were sent, 0 before it is there.

        Without rpmsg, all are dropped.
        """
        if self._rings is None or self.fd < 0:
            return len(data)
        self._serve(self._rings)
        console, sent = self.channels.console, 0
        if self._rings is None or console is None:
            return 0
        sending = self._rings[_TO_FIRMWARE]
        while sent < len(data) and sending.free:
            part = data[sent : sent + LARGEST]
            sending.give(sending.free.pop(0), HEADER.pack(*console, 0, len(part), 0) + part)
            sent += len(part)
        if sent:
            self._ring(_TO_FIRMWARE)
        return sent

    def read(self) -> bytes:
        """Return the output of the console's channel since the last call."""
        data = bytes(self.channels.pending)
        self.channels.pending.clear()
        return data

    def close(self) -> None:
        """Keep the output, and close all else. Repeatable."""
        for fd in (self.fd, self._childs):
            if fd >= 0:
                os.close(fd)
        self.fd = self._childs = -1
        self._rings = None
        self.memory.close()
