"""The commands that a firmware container answers from inside: an image of firmware has no shell.

Their exit codes suit health checks: 0 is well, 1 is not, 127 is no such command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from domain.container import FirmwareContainer, Status
from domain.errors import FirmwareUnfit

UNKNOWN = 127
REMARK = b"remoteproc-runtime: "  # the runtime's own lines in a log begin so

COMMANDS = {
    "status": "the container's status; fails unless the firmware runs",
    "logs": "what the firmware printed lately, and what the runtime remarked",
    "trace": "what the firmware printed lately; fails if that is nothing",
    "resource-table": "the firmware's resource table; fails if it has none",
    "firmware": "name, size, digest and kind of the firmware",
    "help": "this list",
}


class Reply(NamedTuple):
    """An exit code, and what to write to stdout (or to stderr if the command is unknown)."""

    code: int
    data: bytes


def answer(
    words: Sequence[str], container: FirmwareContainer, read: Callable[[str], bytes]
) -> Reply:
    """Carry a command out. `read` gives a file of the container's directory, b"" if there is none.

    Raises what `read` raises.
    """
    words = _unshelled(words)
    name = words[0].rpartition("/")[2] if words else ""
    if name == "status":
        running = container.status is Status.RUNNING
        return Reply(0 if running else 1, f"{container.status} on {_place(container)}\n".encode())
    if name == "logs":
        return Reply(0, read("log.1") + read("log"))
    if name == "trace":
        lines = (read("log.1") + read("log")).splitlines(keepends=True)
        data = b"".join(line for line in lines if not line.startswith(REMARK))
        return Reply(0 if data else 1, data)
    if name in ("resource-table", "firmware"):
        return _of_file(name, container, read)
    listing = "".join(f"  {each:16}{what}\n" for each, what in COMMANDS.items())
    if name == "help":
        return Reply(0, listing.encode())
    problem = f"firmware has no program {words[0]!a}" if words else "no command is given"
    return Reply(UNKNOWN, f"{problem}; there are\n{listing}".encode())


def _unshelled(words: Sequence[str]) -> Sequence[str]:
    """Return what a shell would run first: health checks come as `sh -c "status || exit 1"`."""
    if len(words) == 3 and words[0].rpartition("/")[2] == "sh" and words[1] == "-c":
        return words[2].partition("||")[0].split()
    return words


def _place(container: FirmwareContainer) -> str:
    return f"{container.processor} ({container.device})" if container.device else "no processor"


def _of_file(name: str, container: FirmwareContainer, read: Callable[[str], bytes]) -> Reply:
    firmware = container.firmware
    if firmware is None:
        return Reply(1, b"a sandbox runs no firmware\n")
    from domain.elf import machine_name, read_elf

    try:
        facts = read_elf(read("firmware"), firmware.name)
        kind = f"{facts.bits}-bit {machine_name(facts.machine)}, entry {facts.entry:#x}"
    except FirmwareUnfit:
        facts, kind = None, "no ELF file"  # some processors take other formats
    if name == "firmware":
        text = f"{firmware.name}\n{firmware.size} bytes\n{firmware.digest}\n{kind}\n"
        return Reply(0, text.encode())
    if facts is None or facts.resource_table is None:
        return Reply(1, b"the firmware has no resource table\n")
    from domain.resource_summary import describe
    from domain.resource_table import parse

    table = parse(facts.resource_table, firmware.name)
    return Reply(0, describe(table, facts.resource_table_address).encode())
