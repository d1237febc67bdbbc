"""Which Arm architecture a program was built for, and whether a core can execute it.

Source: Addenda to the ABI for the Arm Architecture (addenda32), "Build Attributes".
"""

from __future__ import annotations

from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG_FILE = 1
_TAG_CPU_ARCH = 6
_TAG_CPU_ARCH_PROFILE = 7
_TAG_COMPATIBILITY = 32
_STRINGS = (4, 5)  # Tag_CPU_raw_name, Tag_CPU_name

V7, V6_M, V6S_M, V7E_M, V8_R, V8_M_BASE, V8_M_MAIN, V8_1_M_MAIN = 10, 11, 12, 13, 15, 16, 17, 21

_NAMES = {
    0: "pre-v4", 1: "v4", 2: "v4T", 3: "v5T", 4: "v5TE", 5: "v5TEJ", 6: "v6", 7: "v6KZ",
    8: "v6T2", 9: "v6K", 10: "v7", 11: "v6-M", 12: "v6S-M", 13: "v7E-M", 14: "v8-A",
    15: "v8-R", 16: "v8-M baseline", 17: "v8-M mainline", 18: "v8.1-A", 19: "v8.2-A",
    20: "v8.3-A", 21: "v8.1-M mainline", 22: "v9-A",
}  # fmt: skip

_V7_M_RUNS = frozenset((V6_M, V6S_M, V7))
_V8_M_RUNS = _V7_M_RUNS | {V7E_M, V8_M_BASE, V8_M_MAIN}
# For each architecture of a microcontroller core: the architectures whose code it can execute.
_M_RUNS = {
    V6_M: frozenset((V6_M,)),
    V6S_M: frozenset((V6_M, V6S_M)),
    V7: _V7_M_RUNS,
    V7E_M: _V7_M_RUNS | {V7E_M},
    V8_M_BASE: frozenset((V6_M, V6S_M, V8_M_BASE)),
    V8_M_MAIN: _V8_M_RUNS,
    V8_1_M_MAIN: _V8_M_RUNS | {V8_1_M_MAIN},
}


class ArmArchitecture(NamedTuple):
    """`arch` is Tag_CPU_arch; `profile` Tag_CPU_arch_profile: `A`, `R`, `M`, `S` (A or R), ``."""

    arch: int
    profile: str

    def __str__(self) -> str:
        name = _NAMES.get(self.arch, f"architecture {self.arch}")
        return f"{name}-{self.profile}" if self.profile and "-" not in name else name

    @property
    def microcontroller(self) -> bool:
        """Whether this is the M profile, whose exception model no other profile has."""
        return self.profile == "M" or (self.arch in _M_RUNS and self.arch != V7)

    def runs_on(self, core: ArmArchitecture) -> bool:
        """Whether `core` executes code built for this architecture."""
        if self.microcontroller or core.microcontroller:
            both = self.microcontroller and core.microcontroller
            return both and self.arch in _M_RUNS.get(core.arch, ())
        if {self.profile, core.profile} == {"A", "R"}:
            return False
        # v8-R has a higher number than v8-A, but runs code for v7 and before only.
        if core.arch == V8_R:
            return self.arch <= V7 or self.arch == V8_R
        return self.arch <= core.arch and self.arch != V8_R


def read_attributes(section: bytes) -> ArmArchitecture | None:
    """Read an .ARM.attributes section; None if it names no architecture, or is damaged.

    No loader of firmware reads this section, so a damaged section is no reason to refuse a file.
    """
    try:
        return _aeabi(section)
    except IndexError:
        return None


def _aeabi(section: bytes) -> ArmArchitecture | None:
    if section[:1] != b"A":
        return None
    for at, length in _parts(section, 1, 0):
        if section[at + 4 : at + 10] == b"aeabi\0":
            return _file_scope(section[at + 10 : at + length])
    return None


def _file_scope(vendor: bytes) -> ArmArchitecture | None:
    for at, length in _parts(vendor, 0, 1):
        if vendor[at] == _TAG_FILE:
            return _tags(vendor[at + 5 : at + length])
    return None


def _parts(data: bytes, at: int, length_at: int) -> Iterator[tuple[int, int]]:
    """Yield where each part begins, and its length, which is in the part at `length_at`."""
    while at < len(data):
        length = int.from_bytes(data[at + length_at : at + length_at + 4], "little")
        yield at, length
        if length < 5:
            return  # shorter than its own header: the section is damaged
        at += length


def _tags(data: bytes) -> ArmArchitecture | None:
    found: dict[int, int] = {}
    at = 0
    while at < len(data):
        tag, at = _uleb128(data, at)
        if tag == _TAG_COMPATIBILITY:
            _, at = _uleb128(data, at)
            at = _after_string(data, at)
        elif tag in _STRINGS or (tag > _TAG_COMPATIBILITY and tag & 1):
            at = _after_string(data, at)
        else:
            found[tag], at = _uleb128(data, at)
    if _TAG_CPU_ARCH not in found:
        return None
    profile = found.get(_TAG_CPU_ARCH_PROFILE, 0)
    letter = chr(profile) if profile in (0x41, 0x4D, 0x52, 0x53) else ""
    return ArmArchitecture(found[_TAG_CPU_ARCH], letter)


def _uleb128(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise IndexError("a number of more than 64 bits")


def _after_string(data: bytes, at: int) -> int:
    end = data.find(b"\0", at)
    if end < 0:
        raise IndexError("a string without an end")
    return end + 1
