"""The built-in commands of `exec`: the runtime answers them, since firmware runs no programs.

Their exit codes suit health checks: 0 healthy, 1 not healthy, 127 no such command.
"""

from __future__ import annotations

from domain.container import FirmwareContainer, Status
from domain.errors import FirmwareUnfit
from domain.firmware import LOG_FILES, REMARK, STAGED_NAME
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNKNOWN = 127

COMMANDS = {
    "status": "the container's status; fails unless the firmware runs",
    "logs": "what the firmware printed lately, and what the runtime remarked",
    "trace": "what the firmware printed lately; fails if that is nothing",
    "resource-table": "the firmware's resource table; fails if it has none",
    "firmware": "name, size, digest and kind of the firmware",
    "help": "this list",
}


class ExecResult(NamedTuple):
    """An exit code, and what to write to stdout (or to stderr if the command is unknown)."""

    code: int
    data: bytes

    @property
    def on_stderr(self) -> bool:
        """Whether the caller writes the data to stderr."""
        return self.code == UNKNOWN


def answer(
    words: Sequence[str], container: FirmwareContainer, read: Callable[[str], bytes]
) -> ExecResult:
    """Answer a command. `read` returns a file of the container's directory, b"" if there is none.

    Raises the errors of `read`.
    """
    words = _unshelled(words)
    name = words[0].rpartition("/")[2] if words else ""
    if name == "status":
        text = f"{container.status} on {_place(container)}\n"
        return ExecResult(0 if container.status is Status.RUNNING else 1, text.encode())
    if name == "logs":
        return ExecResult(0, b"".join(map(read, LOG_FILES)))
    if name == "trace":
        lines = b"".join(map(read, LOG_FILES)).splitlines(keepends=True)
        data = b"".join(line for line in lines if not line.startswith(REMARK))
        return ExecResult(0 if data else 1, data)
    if name in ("resource-table", "firmware"):
        return _of_file(name, container, read)
    listing = "".join(f"  {each:16}{what}\n" for each, what in COMMANDS.items())
    if name == "help":
        return ExecResult(0, listing.encode())
    problem = f"firmware has no program {words[0]!a}" if words else "no command is given"
    return ExecResult(UNKNOWN, f"{problem}; there are\n{listing}".encode())


def _unshelled(words: Sequence[str]) -> Sequence[str]:
    """Return the first command of `sh -c "status || exit 1"`, as engines write health checks."""
    if len(words) == 3 and words[0].rpartition("/")[2] == "sh" and words[1] == "-c":
        return words[2].partition("||")[0].split()
    return words


def _place(container: FirmwareContainer) -> str:
    return f"{container.processor} ({container.device})" if container.device else "no processor"


def _of_file(name: str, container: FirmwareContainer, read: Callable[[str], bytes]) -> ExecResult:
    """Answer `firmware` or `resource-table` from the private copy of the firmware."""
    firmware = container.firmware
    if firmware is None:
        return ExecResult(1, b"a sandbox runs no firmware\n")
    from domain.elf import machine_name, read_elf

    try:
        facts = read_elf(read(STAGED_NAME), firmware.name)
        kind = f"{facts.bits}-bit {machine_name(facts.machine)}, entry {facts.entry:#x}"
    except FirmwareUnfit:
        facts, kind = None, "no ELF file"  # some processors take other formats
    if name == "firmware":
        text = f"{firmware.name}\n{firmware.size} bytes\n{firmware.digest}\n{kind}\n"
        return ExecResult(0, text.encode())
    if facts is None or facts.resource_table is None:
        return ExecResult(1, b"the firmware has no resource table\n")
    from domain.resource_summary import summarize
    from domain.resource_table import parse

    table = parse(facts.resource_table, firmware.name)
    return ExecResult(0, summarize(table, facts.resource_table_address).encode())
