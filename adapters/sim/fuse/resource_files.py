"""The text of debugfs' files `resource_table` and `carveout_memories`.

Source: Linux 6.1 drivers/remoteproc/remoteproc_debugfs.c (rproc_rsc_table_show,
rproc_carveouts_show). Addresses of the kernel's own are shown as zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error

from adapters.sim.loader import Resources
from adapters.sim.spec import Mailbox
from domain.resource_table import (
    CARVEOUT,
    DEVMEM,
    ENTRIES_LIMIT,
    HEADER,
    TRACE,
    VDEV,
    Carveout,
    UnusableTable,
    parse,
)

_NAMED = {
    CARVEOUT: ("carveout", ("Device Address", "Physical Address", "Length", "Flags")),
    DEVMEM: ("devmem", ("Device Address", "Physical Address", "Length", "Flags")),
    TRACE: ("trace", ("Device Address", "Length")),
}
_OFFSET, _NAME = Struct("<I"), 32
# As in domain.resource_table, but signed where the kernel shows signed numbers.
_DEVICE, _VRING = Struct("<iiIIIBBbb"), Struct("<IiiiI")
_NO_POINTER = "0" * 16
_PAGE = 4096


def table_text(table: bytes) -> bytes:
    """Return what `resource_table` shows of a table, as it is in memory now.

    The firmware may have written anything into it: what is outside of it is not shown.
    """
    if not table:
        return b"No resource table found\n"
    text = ""
    try:
        _, count, *_ = HEADER.unpack_from(table)
        for number in range(min(count, ENTRIES_LIMIT)):
            (at,) = _OFFSET.unpack_from(table, HEADER.size + 4 * number)
            (kind,) = _OFFSET.unpack_from(table, at)
            if kind in _NAMED:
                text += f"Entry {number} is of type {_NAMED[kind][0]}\n"
                text += _buffer(table, at + 4, _NAMED[kind][1])
            elif kind == VDEV:
                text += f"Entry {number} is of type vdev\n" + "".join(_vdev(table, at + 4))
            else:
                signed = kind - (kind >> 31 << 32)
                text += f"Unknown resource type found: {signed} [hdr: {_NO_POINTER}]\n"
    except error:
        pass
    return text.encode("latin-1")


def _buffer(table: bytes, at: int, labels: tuple[str, ...]) -> str:
    layout = Struct(f"<{len(labels)}Ii{_NAME}s")
    *values, reserved, name = layout.unpack_from(table, at)
    lines = [
        f"  {label} {value:#x}{' Bytes' if label == 'Length' else ''}\n"
        for label, value in zip(labels, values, strict=True)
    ]
    shown = name.partition(b"\0")[0].decode("latin-1")
    return "".join(lines) + f"  Reserved (should be zero) [{reserved}]\n  Name {shown}\n\n"


def _vdev(table: bytes, at: int) -> Iterator[str]:
    device, notify, features, guest, config, status, count, *reserved = _DEVICE.unpack_from(
        table, at
    )
    yield f"  ID {device}\n  Notify ID {notify}\n  Device features {features:#x}\n"
    yield f"  Guest features {guest:#x}\n  Config length {config:#x}\n  Status {status:#x}\n"
    yield f"  Number of vrings {count}\n"
    yield f"  Reserved (should be zero) [{reserved[0]}][{reserved[1]}]\n\n"
    for number in range(count):
        address, align, buffers, notify, physical = _VRING.unpack_from(
            table, at + _DEVICE.size + number * _VRING.size
        )
        yield f"  Vring {number}\n    Device Address {address:#x}\n    Alignment {align}\n"
        yield f"    Number of buffers {buffers}\n    Notify ID {notify}\n"
        yield f"    Physical Address {physical:#x}\n\n"


def carveouts_text(resources: Resources, mailbox: Mailbox | None) -> bytes:
    """Return what `carveout_memories` shows: memory of rpmsg, and what the table asks for.

    Of rpmsg it is what the board's device tree would reserve.
    """
    found = []
    if resources.rpmsg and mailbox:
        for number, ring in enumerate(resources.rpmsg.rings):
            size = (ring.size + _PAGE - 1) // _PAGE * _PAGE
            found.append((f"vdev0vring{number}", ring.address, size))
        found.append(("vdev0buffer", mailbox.buffers, mailbox.buffers_size))
    try:
        entries = parse(resources.table).entries
    except UnusableTable:
        entries = ()
    found += [(e.name, e.address, e.size) for e in entries if isinstance(e, Carveout)]
    return "".join(
        f"Carveout memory entry:\n\tName: {name}\n\tVirtual address: {_NO_POINTER}\n"
        f"\tDMA address: {address:#018x}\n\tDevice address: {address:#x}\n"
        f"\tLength: {size:#x} Bytes\n\n"
        for name, address, size in found
    ).encode("latin-1", "replace")
