"""What a processor is, for people who choose one by that and not by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_FAMILIES = ("cortex-m", "cortex-r", "cortex-a", "c66", "c71")


class ProcessorTraits(NamedTuple):
    """`core` as in `cortex-m7`, `board` in the maker's words, `memory` in bytes; or nothing."""

    core: str = ""
    memory: int = 0
    board: str = ""


def core_of(compatible: Iterable[str]) -> str:
    """Return the core that a device tree's `compatible` tells, as in `fsl,imx8mp-cm7`; or ``.

    Makers write `-cm7`, `-m4`, `-r5f`, `-m4fss` (a subsystem of it), `-c71-dsp`.
    """
    for text in compatible:
        for word in reversed(text.partition(",")[2].split("-")):
            short = word.removesuffix("ss")
            short = short.removesuffix("f") if short != word else short
            if short in _FAMILIES:
                return short
            short = short.removeprefix("c")
            if short[:1] in ("m", "r") and short[1:].removesuffix("f").isdigit():
                return f"cortex-{short}"
    return ""
