"""Formats the messages about one processor for the kernel's log."""

from __future__ import annotations

from collections.abc import Callable
from errno import EIO
from typing import TypeVar

Printk = Callable[[int, str], None]
"""Takes a level of <linux/kern_levels.h> and a message without the device's prefix."""

_ERROR, _WARNING, _INFORMATION = 3, 4, 6
_KINDS = ("mmufault", "watchdog", "unknown")

E = TypeVar("E", bound=BaseException)


class KernelLogWriter:
    """Writes as the kernel's dev_info, dev_warn and dev_err do."""

    __slots__ = ("_printk",)

    def __init__(self, printk: Printk) -> None:
        self._printk = printk

    def info(self, text: str) -> None:
        """Log at the level information."""
        self._printk(_INFORMATION, text)

    def warning(self, text: str) -> None:
        """Log at the level warning."""
        self._printk(_WARNING, text)

    def error(self, text: str) -> None:
        """Log at the level error."""
        self._printk(_ERROR, text)

    def failed(self, what: str, error: E) -> E:
        """Log which step failed with which errno; return the error, for the caller to raise."""
        self.error(f"{what}: -{error_number(error)}")
        return error

    def crash(self, name: str, reason: str) -> None:
        """Log as rproc_report_crash does; the reason may begin with the kernel's type of crash."""
        kind = next((kind for kind in _KINDS if reason.startswith(kind)), "fatal error")
        self.error(f"crash detected in {name}: type {kind}")


def error_number(error: BaseException) -> int:
    """Return the errno of an OSError or HostFault; EIO where there is none."""
    return getattr(error, "errno", 0) or EIO
