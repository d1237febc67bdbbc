"""The contents of a resource table as text for people."""

from __future__ import annotations

from domain.resource_table import (
    ANY_ADDRESS,
    Carveout,
    Entry,
    Other,
    ResourceTable,
    Trace,
    Vdev,
    Vring,
)

# include/uapi/linux/virtio_ids.h: those that firmware has been seen to offer.
_VIRTIO = {1: "net", 2: "block", 3: "console", 4: "rng", 7: "rpmsg", 8: "scsi", 9: "9p",
           11: "remoteproc serial", 18: "input", 19: "vsock", 34: "i2c", 41: "gpio"}  # fmt: skip


def summarize(table: ResourceTable, address: int) -> str:
    """Return one line for each entry of the table at `address`, with a newline at the end."""
    count = len(table.entries)
    lines = [f"resource table at {address:#010x}: {count} {'entry' if count == 1 else 'entries'}"]
    number = 0
    for entry in table.entries:
        lines.extend("  " + line for line in _lines(entry, number))
        number += isinstance(entry, Trace)
    return "\n".join(lines) + "\n"


def _lines(entry: Entry, number: int) -> list[str]:
    if isinstance(entry, Trace):
        text = f"trace{number}    {_place(entry.address)}  {entry.size} bytes  {entry.name}"
        return [text.rstrip()]
    if isinstance(entry, Vdev):
        kind = _VIRTIO.get(entry.id, f"virtio device {entry.id}")
        head = f"vdev      {kind}, features {entry.features:#x}"
        if entry.config_size:
            head += f", {entry.config_size} bytes of configuration"
        return [head, *(_vring(i, ring) for i, ring in enumerate(entry.vrings))]
    if isinstance(entry, Other):
        return [f"{'vendor ' if entry.vendor else 'unknown'}   type {entry.type}"]
    kind = "carveout" if isinstance(entry, Carveout) else "devmem  "
    text = f"{kind}  {_place(entry.address)}  {entry.size} bytes"
    if entry.physical not in (0, ANY_ADDRESS):
        text += f"  physical {entry.physical:#010x}"
    return [f"{text}  {entry.name}".rstrip()]


def _vring(number: int, ring: Vring) -> str:
    return f"  vring{number}  {_place(ring.address)}  {ring.buffers} buffers  align {ring.align}"


def _place(address: int) -> str:
    return "anywhere  " if address == ANY_ADDRESS else f"{address:#010x}"
