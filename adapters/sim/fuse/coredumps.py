"""The class devcoredump: the memory of crashed processors, kept until a reader frees it.

Source: Linux 6.1 drivers/base/devcoredump.c (one dump for each device, freed by a write or after
five minutes), drivers/remoteproc/remoteproc_coredump.c.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Callable, Mapping
from errno import ENODEV

from adapters.sim.fuse.nodes import Directory, Handle, Link, Node
from adapters.sim.remoteproc import RemoteProc
from adapters.sim.spec import CORES

_LIFETIME = 300.0  # seconds
_CHUNK = 1 << 20
_ET_CORE, _PT_LOAD = 4, 1


class Devcoredump(Node):
    """One dump: an ELF core file. `device` is the path of the crashed processor below /sys."""

    def __init__(self, fd: int, device: str) -> None:
        super().__init__(0o100600)
        self.fd = fd
        self.device = device
        self.created = time.monotonic()
        self.freed = False
        self._done = threading.Event()

    def open(self, _flags: int, /) -> Handle:
        """Open the file `data` of the dump."""
        return _DevcoredumpHandle(self)

    def free(self) -> None:
        """Free the memory of the dump. Repeatable."""
        if not self.freed:
            self.freed = True
            os.close(self.fd)
            self._done.set()

    def wait(self) -> None:
        """Wait until the dump is freed or its lifetime is over."""
        self._done.wait(_LIFETIME)


class _DevcoredumpHandle(Handle):
    def __init__(self, dump: Devcoredump) -> None:
        self._dump = dump

    def read(self, size: int, offset: int) -> bytes:
        with _lock:
            if self._dump.freed:
                raise OSError(ENODEV, "")
            return os.pread(self._dump.fd, size, offset)

    def write(self, data: bytes, offset: int) -> int:  # noqa: ARG002 -- any write frees the dump
        with _lock:
            self._dump.free()
        return len(data)


_lock = threading.Lock()


class DevcoredumpClass:
    """All dumps of one board."""

    def __init__(self) -> None:
        self._dumps: dict[str, Devcoredump] = {}
        self._count = 0

    def create(self, rproc: RemoteProc, device: str) -> Callable[[], None]:
        """Dump the memory of a processor before its recovery, if `coredump` is not `disabled`.

        Return a function that its recovery calls to wait until an `inline` dump is freed.
        """
        execution = rproc.execution
        if rproc.coredump == "disabled" or execution is None or execution.pid < 0:
            return _do_not_wait  # the memory has ended with QEMU, or there is none
        if any(dump.device == device for dump in self._current().values()):
            return _do_not_wait
        fd = os.memfd_create("coredump")
        try:
            _write_core(fd, rproc)
        except BaseException:
            os.close(fd)
            raise
        with _lock:
            self._count += 1
            dump = self._dumps[f"devcd{self._count}"] = Devcoredump(fd, device)
        return dump.wait if rproc.coredump == "inline" else _do_not_wait

    def _current(self) -> dict[str, Devcoredump]:
        with _lock:
            for dump in self._dumps.values():
                if time.monotonic() - dump.created > _LIFETIME:
                    dump.free()
            self._dumps = {n: dump for n, dump in self._dumps.items() if not dump.freed}
            return dict(self._dumps)

    def devices(self) -> Mapping[str, Node]:
        """Return the content of /sys/devices/virtual/devcoredump."""
        return {
            name: Directory({"data": dump, "failing_device": Link("../../../../" + dump.device)})
            for name, dump in self._current().items()
        }

    def links(self) -> Mapping[str, Node]:
        """Return the content of /sys/class/devcoredump."""
        return {n: Link(f"../../devices/virtual/devcoredump/{n}") for n in self._current()}


def _do_not_wait() -> None:
    pass


def _write_core(fd: int, rproc: RemoteProc) -> None:
    """Write an ELF core file of all memory; chunks of zeros become holes in the file."""
    core = CORES[rproc.spec.core].core
    wide = core.bits == 64
    memory = rproc.spec.memory
    head, row = (64, 56) if wide else (52, 32)
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1, 1)) + bytes(9)
    layout = "<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH"
    fields = (_ET_CORE, core.machine, 1, 0, head, 0, 0, head, row, len(memory), 0, 0, 0)
    table = ident + struct.pack(layout, *fields)
    offset = head + row * len(memory)
    starts = []
    for _, address, size in memory:
        if wide:
            values = (_PT_LOAD, 7, offset, address, address, size, size, 0)
            table += struct.pack("<IIQQQQQQ", *values)
        else:
            table += struct.pack("<8I", _PT_LOAD, offset, address, address, size, size, 7, 0)
        starts.append(offset)
        offset += size
    os.truncate(fd, offset)
    os.pwrite(fd, table, 0)
    execution = rproc.execution
    for (_, address, size), start in zip(memory, starts, strict=True):
        for at in range(0, size, _CHUNK):
            most = min(_CHUNK, size - at)
            piece = execution.read_memory(address + at, most) if execution else None
            if piece and any(piece):
                os.pwrite(fd, piece, start + at)
