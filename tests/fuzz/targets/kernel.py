"""What the kernel tells: its log, and what is mounted."""

from __future__ import annotations

import os

from adapters.linux.mountinfo import MountEntry, parse
from adapters.sysfs.kmsg import KmsgReader, crash_type, error_messages, tells_start, tells_stop
from tests.fuzz.target import target

_LOG = os.memfd_create("kmsg")
_PREFIX = b"remoteproc remoteproc0: "


@target(1 << 12)
def kernel_log(data: bytes) -> None:
    """Each record is one read: 0xff ends one. Other processors' records are not returned."""
    reader = KmsgReader(f"/proc/self/fd/{_LOG}", "remoteproc0")
    found: list[str] = []
    for record in data.split(b"\xff"):
        os.ftruncate(_LOG, 0)
        reader.open()
        assert reader.is_open
        os.pwrite(_LOG, record, 0)
        new = reader.read()
        assert len(new) == (_PREFIX in record.partition(b";")[2][: len(_PREFIX)])
        assert not reader.is_open  # it met the end of a file, which the kernel's log does not have
        found += new
    assert all("\n" not in message for message in found)
    kind = crash_type(found)
    assert not kind or any(kind in message for message in found)
    assert len(error_messages(found)) <= len(found)
    assert not any(tells_start(message) and tells_stop(message) for message in found)


@target(1 << 10, ValueError)
def mountinfo(data: bytes) -> None:
    """What the kernel writes about a mount is read back, whatever the names are."""
    found = parse(data)
    assert all(isinstance(field, str) for field in found)
    fields = [field.replace(b" - ", b"-") for field in data.split(b"\n")[:5]]
    if len(fields) == 5 and not any(b"\0" in field for field in fields):
        device, point, kind, source, options = map(_escaped, fields)
        line = b"1 2 %s / %s rw shared:1 - %s %s %s\n" % (device, point, kind, source, options)
        assert parse(line) == MountEntry(*map(os.fsdecode, fields))


def _escaped(field: bytes) -> bytes:
    """Return a field as the kernel's mangle writes it."""
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes((byte,)) for byte in field)
