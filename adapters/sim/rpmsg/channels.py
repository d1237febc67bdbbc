"""Channels that firmware has announced by the name service, and the console among them.

Sources: Linux include/linux/rpmsg/ns.h, drivers/rpmsg/rpmsg_ns.c, virtio_rpmsg_bus.c.
"""

from __future__ import annotations

from struct import Struct

from adapters.sim.kernel_log import NEW_CHANNEL
from domain.light_types import NamedTuple
from domain.text import printable

MOST = 64
"""Channels at a time. Each costs the host memory, and its announcement a line."""

HEADER = Struct("<IIIHH")
"""From, to, reserved, bytes of data, flags."""

LARGEST = 496
"""Bytes of data in a message."""

KEPT = 1 << 20
"""Bytes of output that nobody has read; the oldest are dropped."""

_NAME_SERVICE = 53
_ANNOUNCEMENT = Struct("<32sII")
_DESTROY = 1
_FIRST = 0x400  # the kernel's own addresses begin here
_TTYS = ("rpmsg-tty", "rpmsg-virtual-tty-channel")  # Linux', and NXP's


class RpmsgChannel(NamedTuple):
    """A channel with the firmware's address; Linux' own address is the key in `Channels.open`."""

    name: str
    remote: int

    @property
    def is_tty(self) -> bool:
        """Whether Linux' or the vendor's driver makes a tty of such a channel."""
        return self.name.startswith(_TTYS)


class Channels:
    """What of a firmware's channels Linux knows. `pending` is the console's output."""

    def __init__(self) -> None:
        self.open: dict[int, RpmsgChannel] = {}
        self.pending = bytearray()
        self.remarks: list[str] = []
        self._told: set[str] = set()
        self._full = False

    @property
    def console(self) -> tuple[int, int] | None:
        """Linux' and the firmware's address of the first tty channel; None without one."""
        found = ((own, each.remote) for own, each in self.open.items() if each.is_tty)
        return next(found, None)

    def receive(self, message: bytes) -> None:
        """Take a message of the firmware's; what is none, or is for nobody, is dropped."""
        if len(message) < HEADER.size:
            return
        _, to, _, length, _ = HEADER.unpack_from(message)
        data = message[HEADER.size : HEADER.size + length]
        if len(data) < length:
            return
        if to == _NAME_SERVICE:
            self._announced(data)
        elif self.console and to == self.console[0]:
            self.pending += data
            del self.pending[: max(0, len(self.pending) - KEPT)]

    def _announced(self, data: bytes) -> None:
        if len(data) != _ANNOUNCEMENT.size:
            return
        raw, remote, flags = _ANNOUNCEMENT.unpack(data)
        channel = RpmsgChannel(printable(raw[:31].partition(b"\0")[0].decode("latin-1")), remote)
        own = next((own for own, each in self.open.items() if each == channel), None)
        if flags & _DESTROY:
            if own is not None:
                del self.open[own]
        elif own is None and len(self.open) < MOST:
            own = next(at for at in range(_FIRST, _FIRST + MOST + 1) if at not in self.open)
            self.open[own] = channel
            if channel.name not in self._told and len(self._told) < MOST:
                self._told.add(channel.name)
                self.remarks.append(f"{NEW_CHANNEL}{channel.name} addr {remote:#x}")
        elif own is None and not self._full:
            self._full = True
            self.remarks.append(f"rpmsg: the firmware announces more than {MOST} channels")
