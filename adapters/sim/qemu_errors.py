"""QEMU's error output: its own errors, and what it tells of the firmware's mistakes.

With `-d guest_errors,unimp` QEMU prints a line for each access to nothing, and for what a device
does not do. Firmware can cause a million of them in a second: the first distinct ones are kept, and
then QEMU is to be told to print no more.
"""

from __future__ import annotations

import re

from adapters.sim.uart import read_available
from domain.text import printable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

# Source: QEMU softmmu/memory.c, memory_region_access_valid.
_ACCESS = re.compile(
    r"Invalid (read|write) at addr 0x([0-9A-Fa-f]+), size (\d+), region '(.*)', reason: (.*)"
)
# Source: QEMU hw/misc/unimp.c. It tells no address, but `info mtree` does.
_MISSING = re.compile(r"(.+): unimplemented device (read|write) +\(size (\d+), offset 0x(\w+).*\)")
_AT_OFFSET = re.compile(r"at offset 0x(\w+) of '(.+)', which")
_LONGEST = 160

SIMULATED = "simulated registers: "
"""How lines of generic-machine.so begin."""


class QemuErrors:
    """Reads the pipe `fd` that QEMU has as stderr. `text` is the latest output.

    `remarks` are what QEMU has told since `begin`, in words for people, the first few of them.
    `fatal` says that QEMU has given up, and aborts.
    """

    DISTINCT = 5
    REPEATED = 1000
    _KEPT = 1 << 16

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.text = ""
        self.remarks: list[str] = []
        self.flooded = self.fatal = False
        self._counts: dict[str, int] = {}
        self._begun = False
        self._rest = ""

    def begin(self) -> None:
        """Forget what QEMU told while it started, before any instruction of the firmware's."""
        while self.receive():
            pass
        self.text = self._rest = ""
        self._begun = True

    def take_remarks(self, monitor: Callable[[str], str]) -> list[str]:
        """Return the remarks since the last call; `monitor` asks QEMU for devices' addresses."""
        found, self.remarks = self.remarks, []
        if any(map(_AT_OFFSET.search, found)):
            tree = monitor("info mtree")
            return [with_address(words, tree) for words in found]
        return found

    def receive(self) -> bytes | None:
        """Receive a chunk; None if there is none now, b"" at the end."""
        data = read_available(self.fd)
        if data:
            text = data.decode(errors="replace")
            self.text = (self.text + text)[-self._KEPT :]
            *lines, self._rest = (self._rest[-self._KEPT :] + text).split("\n")
            if self._begun:
                for line in lines:
                    self._take(line)
        return data

    def _take(self, line: str) -> None:
        if line.startswith("qemu"):  # an error of QEMU's own; a fatal one has registers behind it
            self.fatal = self.fatal or line.startswith("qemu: fatal: ")
            return
        if self.fatal or self.flooded or not line.strip():
            return
        if line.startswith(SIMULATED):
            self.remarks.append(printable(line[:_LONGEST]))  # the library tells few
            return
        words = describe(line)
        count = self._counts[words] = self._counts.get(words, 0) + 1
        if count == self.REPEATED:
            self._last(f"{words}; again and again, as firmware does that polls a register")
        elif count == 1 and len(self._counts) > self.DISTINCT:
            self._last("the firmware makes more mistakes of this kind")
        elif count == 1:
            self.remarks.append(words)

    def _last(self, words: str) -> None:
        self.flooded = True
        self.remarks.append(f"{words}; no more is reported")


def describe(line: str) -> str:
    """Return a line of QEMU's log in words for people."""
    line = line.strip()[:_LONGEST]
    if missing := _MISSING.fullmatch(line):
        name, kind, size, offset = missing.groups()
        where = f"at offset 0x{offset} of {printable(name)!r}, which QEMU does not simulate"
        return f"{_what(kind, size)} {where}"
    access = _ACCESS.fullmatch(line)
    if not access:
        return f"the simulator (QEMU) says: {printable(line)}"
    kind, address, size, region, reason = access.groups()
    what = f"{_what(kind, size)} at 0x{address.lower()}"
    if region == "(null)":
        return f"{what}, where the simulated machine has nothing"
    return f"{what}, which {printable(region)!r} does not allow ({printable(reason)})"


def _what(kind: str, size: str) -> str:
    return f"the firmware {kind}s {size} byte{'s'[: size != '1']}"


def with_address(words: str, tree: str) -> str:
    """Return a remark with the device's address, if QEMU's memory tree has the device once."""

    def at(found: re.Match[str]) -> str:
        name = re.escape(found[2])
        begins = set(re.findall(rf"([0-9a-f]{{16}})-\w+ \(prio -?\d+, i/o\): {name}\r?\n", tree))
        if len(begins) != 1:
            return found[0]
        return f"at {int(begins.pop(), 16) + int(found[1], 16):#x} in {found[2]!r}, which"

    return _AT_OFFSET.sub(at, words)
