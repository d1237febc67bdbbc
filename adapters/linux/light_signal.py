"""Python's module `signal` without its enums, whose import takes longer than a small command.

Signals are plain numbers here. Type checkers see the original.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as signal
else:
    import _signal as signal


def signal_name(number: int) -> str:
    """Return `TERM` for 15; the number as text where the signal has no name."""
    names = (name for name in sorted(dir(signal)) if name.startswith("SIG") and "_" not in name)
    found = (name for name in names if getattr(signal, name) == number)
    return next(found, str(number)).removeprefix("SIG")
