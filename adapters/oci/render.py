"""Shows containers and processors: as the runtime specification's state JSON, and as tables."""

from __future__ import annotations

import time

from adapters.encoding.light_json import dumps_for_people
from domain.container import FirmwareContainer, Status
from domain.processor_rows import ProcessorRow
from domain.text import printable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

OCI_VERSION = "1.2.1"


def as_json(value: object) -> str:
    """Return JSON laid out for people."""
    return dumps_for_people(value)


def state(container: FirmwareContainer, at: Status | None = None) -> dict[str, Any]:
    """Return a container's state (runtime.md#state), with crun's and runc's additions.

    The annotations say which firmware the container runs and how it ended. `at` is a status to
    show instead of the container's own: hooks of `create` get `creating`.
    """
    status = at or container.status
    living = {"pid": container.pid} if status is not Status.STOPPED else {}
    return {
        "ociVersion": OCI_VERSION,
        "id": container.id,
        "status": status.value,
        **living,
        "bundle": container.bundle,
        "rootfs": container.rootfs,
        "created": when(container.created),
        "owner": str(container.owner),
        "annotations": {**container.annotations, **_facts(container)},
    }


def _facts(container: FirmwareContainer) -> dict[str, str]:
    facts = {"remoteproc.name": container.processor, "remoteproc.device": container.device}
    if container.device_path:
        facts["remoteproc.resolved-path"] = container.device_path
    if container.firmware:
        facts["remoteproc.firmware"] = container.firmware.name
        facts["remoteproc.firmware-digest"] = container.firmware.digest
    if container.exit:
        facts["remoteproc.exit-status"] = str(container.exit.status)
        facts["remoteproc.exit-reason"] = container.exit.reason
        facts["remoteproc.exited-at"] = when(container.exit.at)
    return facts


def when(seconds: float) -> str:
    """Return a time as RFC 3339 in UTC, to the microsecond."""
    whole = int(seconds)
    fraction = int((seconds - whole) * 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{fraction:06d}Z"


def containers(rows: Sequence[FirmwareContainer]) -> str:
    """Return the table of `list`."""
    return table(
        ("ID", "PID", "STATUS", "PROCESSOR", "BUNDLE", "CREATED"),
        [
            (
                c.id,
                str(0 if c.status is Status.STOPPED else c.pid),
                c.status.value + (f" ({c.exit.status})" if c.exit else ""),
                c.processor,
                c.bundle,
                when(c.created),
            )
            for c in rows
        ],
    )


def processor(row: ProcessorRow) -> dict[str, str]:
    """Return one row of `processors` in JSON's types."""
    owner, name = (row.owner.id, row.owner.name) if row.owner else ("", "")
    shown = row.info._asdict()
    del shown["fault"]  # which the note says, too
    return {**shown, "owner": owner, "ownerName": name}


def processors(rows: Sequence[ProcessorRow]) -> str:
    """Return the table of `processors`."""
    return table(
        ("NAME", "DEVICE", "PARENT", "STATE", "FIRMWARE", "CONTAINER", "NOTE"),
        [
            (
                r.info.name,
                r.info.device,
                r.info.parent,
                r.info.state,
                r.info.firmware,
                r.owner.title if r.owner else "",
                r.info.note,
            )
            for r in rows
        ],
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns; unprintable characters are shown escaped."""
    cells = [head, *([printable(cell) or "-" for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)
