"""The tty of an rpmsg channel, as Linux' driver rpmsg_tty makes it: ttyRPMSGn.

It is a pty, whose other end is the firmware. It exists while the channel exists.
"""

from __future__ import annotations

import os
import select
import tty
from collections.abc import Mapping

from adapters.sim.fuse.nodes import Directory, Link, Node
from adapters.sim.kernel_log import VDEV
from adapters.sim.remoteproc import RemoteProc
from adapters.sim.rpmsg.link import RpmsgLink
from domain.processor import RUNNING

_PIECE = 4096


class RpmsgTty:
    """One tty; `processor` is N of remoteprocN. The processor's worker alone calls `poll`."""

    def __init__(self, number: int, processor: int, rproc: RemoteProc) -> None:
        self.name = f"ttyRPMSG{number}"
        self.terminal = ""
        """The path of the pty that programs open; empty without a channel."""
        self.device = ""
        """The channel's device, relative to the processor's."""
        self._processor = processor
        self._rproc = rproc
        self._ours = self._theirs = -1
        self._input = b""  # what the firmware's queue had no room for

    def watch(self) -> tuple[tuple[int, int], ...]:
        """Return what to wait for: a descriptor, with the events of poll(2)."""
        link = self._link()
        if self._ours < 0 or link is None:
            return ()
        wanted = 0 if self._input else select.POLLIN
        return ((self._ours, wanted | (select.POLLOUT if link.channels.pending else 0)),)

    def poll(self) -> None:
        """Make or remove the tty as the channel comes and goes, and carry what has come."""
        link = self._link()
        console = link.channels.console if link else None
        if link is None or console is None:
            self.close()
            return
        if self._ours < 0:
            self._open(link.channels.open[console[0]].name, console[1])
        try:
            written = os.write(self._ours, link.channels.pending[:_PIECE])
            del link.channels.pending[:written]
        except BlockingIOError:
            pass
        if not self._input:
            try:
                self._input = os.read(self._ours, _PIECE)
            except BlockingIOError:
                return
        self._input = self._input[link.write(self._input) :]

    def _link(self) -> RpmsgLink | None:
        execution = self._rproc.execution
        return execution.rpmsg if execution and self._rproc.state == RUNNING else None

    def _open(self, channel: str, remote: int) -> None:
        self._ours, self._theirs = os.openpty()
        os.set_blocking(self._ours, False)
        tty.setraw(self._theirs)  # an echo would be input for the firmware
        safe, virtio = channel.replace("/", "!"), f"virtio{self._processor}"
        above = f"{VDEV}.{self._processor}.auto"
        self.device = f"{above}/{virtio}/{virtio}.{safe}.-1.{remote}"
        self.terminal = os.ttyname(self._theirs)

    def close(self) -> None:
        """Hang up. Repeatable."""
        for descriptor in (self._ours, self._theirs):
            if descriptor >= 0:
                os.close(descriptor)
        self._ours = self._theirs = -1
        self.terminal, self._input = "", b""

    def devices(self) -> Mapping[str, Node]:
        """Return what is below the processor's device: the directories down to the tty."""
        if not self.terminal:
            return {}
        path = f"{self.device}/tty/{self.name}"
        found: Mapping[str, Node] = {"device": Link("../..")}
        for name in reversed(path.split("/")):
            found = {name: Directory(found)}
        return found
