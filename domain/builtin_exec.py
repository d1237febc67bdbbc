"""The built-in commands of `exec`: the runtime answers them, since firmware runs no programs.

Their exit codes suit health checks: 0 healthy, 1 not healthy, 2 not understood, 127 no such
command.
"""

from __future__ import annotations

from domain.container import FirmwareContainer, Status
from domain.errors import FirmwareUnfit, InvalidRequest
from domain.firmware import LOG_FILES, STAGED_NAME
from domain.light_types import NamedTuple
from domain.shell_line import steps
from domain.text import printable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MISUSED, UNKNOWN = 2, 127  # as shells have it

COMMANDS = {
    "status": "the container's status, on stderr the remarks; fails unless the firmware runs",
    "printed TEXT": "fails unless the firmware printed this text lately",
    "printed-within SECONDS": "fails if the firmware has printed nothing for so long",
    "logs": "what the firmware printed lately; on stderr what the runtime remarked",
    "trace": "what the firmware printed lately; fails if that is nothing",
    "resource-table": "the firmware's resource table; fails if it has none",
    "firmware": "name, size, digest and kind of the firmware",
    "exit N": "ends with this code: status || exit 1",
    "help": "this list",
}
_ARGUMENT = {name: argument for name, _, argument in (each.partition(" ") for each in COMMANDS)}
_LISTING = "".join(f"  {each:24}{what}\n" for each, what in COMMANDS.items())


class ExecResult(NamedTuple):
    """An exit code, and what to write to stdout and to stderr."""

    code: int
    out: bytes = b""
    err: bytes = b""


def answer(
    words: Sequence[str],
    container: FirmwareContainer,
    read: Callable[[str], bytes],
    silence: Callable[[], float | None],
) -> ExecResult:
    """Answer a command, or several as `sh -c` takes them.

    `read` returns a file of the container's directory, b"" if there is none; `silence` tells for
    how many seconds the firmware has printed nothing, None if it never has. Raises their errors.
    """
    try:
        todo = steps(words)
        for step in todo:
            _check(step.words)
    except InvalidRequest as error:
        return ExecResult(MISUSED, err=f"{error}\n".encode())
    except _Unknown as error:
        return ExecResult(UNKNOWN, err=f"{error}; there are\n{_LISTING}".encode())
    code, out, err = 0, b"", b""
    for step in todo:
        if step.operator and (step.operator == "&&") != (code == 0):
            continue
        name, *arguments = step.words
        if _base(name) == "exit":
            return ExecResult(int(arguments[0]), out, err)
        code, more, told = _carry_out(_base(name), arguments, container, read, silence)
        out, err = out + more, err + told
    return ExecResult(code, out, err)


class _Unknown(Exception):
    """The runtime has no such command."""


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _check(words: Sequence[str]) -> None:
    """Raise _Unknown or InvalidRequest for a command that would not be carried out as written."""
    if not words:
        raise _Unknown("no command is given")
    name, *arguments = words
    argument = _ARGUMENT.get(_base(name))
    if argument is None:
        raise _Unknown(f"firmware has no program {name!a}")
    if len(arguments) != bool(argument):
        raise InvalidRequest(
            f"{name!a} takes {'one argument' if argument else 'no arguments'}, "
            f"not {len(arguments)}",
            hint=f"write {_base(name)} {argument}".rstrip(),
        )
    given = arguments[0] if arguments else ""
    if argument == "N" and not (_is_number(given) and int(given) < 256):
        raise InvalidRequest(f"exit code {given!a} is no number from 0 to 255")
    if argument == "SECONDS" and not _is_number(given.replace(".", "", 1)):
        raise InvalidRequest(f"{given!a} is no number of seconds", hint="write 10 or 0.5")
    if argument == "TEXT" and not given:
        raise InvalidRequest("an empty text is found in any output", hint=f"write {name} ready")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _carry_out(
    name: str,
    arguments: Sequence[str],
    container: FirmwareContainer,
    read: Callable[[str], bytes],
    silence: Callable[[], float | None],
) -> ExecResult:
    """Answer a command that `_check` has let pass."""
    if name == "status":
        text = f"{container.status} on {_place(container)}\n"
        code = 0 if container.status is Status.RUNNING else 1
        return ExecResult(code, text.encode(), _printed(read)[1])
    if name in ("logs", "trace"):
        output, remarks = _printed(read)
        if name == "logs":
            return ExecResult(0, output, remarks)
        return ExecResult(0 if output else 1, output)
    if name == "printed":
        if arguments[0].encode() in _printed(read)[0]:
            return ExecResult(0)
        words = f"the firmware has not printed {arguments[0]!a} lately\n"
        return ExecResult(1, words.encode())
    if name == "printed-within":
        seconds = silence()
        if seconds is not None and seconds <= float(arguments[0]):
            return ExecResult(0)
        how = "at all" if seconds is None else f"for {seconds:.1f} s"
        return ExecResult(1, f"the firmware has printed nothing {how}\n".encode())
    if name == "help":
        return ExecResult(0, _LISTING.encode())
    return _of_file(name, container, read)


def _printed(read: Callable[[str], bytes]) -> tuple[bytes, bytes]:
    """Return what the firmware printed lately, and what the runtime remarked."""
    from domain.log_format import decode

    return decode(map(read, LOG_FILES))


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
        text = f"{printable(firmware.name)}\n{firmware.size} bytes\n{firmware.digest}\n{kind}\n"
        return ExecResult(0, text.encode())
    if facts is None or facts.resource_table is None:
        return ExecResult(1, b"the firmware has no resource table\n")
    from domain.resource_summary import summarize
    from domain.resource_table import parse

    table = parse(facts.resource_table, firmware.name)
    return ExecResult(0, summarize(table, facts.resource_table_address).encode())
