"""What one processor has to say to the kernel's log."""

from __future__ import annotations

from collections.abc import Callable
from errno import EIO
from typing import TypeVar

Printk = Callable[[int, str], None]
"""Takes a level of <linux/kern_levels.h>, and a line less the device that it is about."""

_ERROR, _WARNING, _INFORMATION = 3, 4, 6
_KINDS = ("mmufault", "watchdog", "unknown")

E = TypeVar("E", bound=BaseException)


class KernelLogWriter:
    """Writes as the kernel's dev_info, dev_warn and dev_err do."""

    __slots__ = ("_printk",)

    def __init__(self, printk: Printk) -> None:
        self._printk = printk

    def info(self, text: str) -> None:
        """Write as information."""
        self._printk(_INFORMATION, text)

    def warning(self, text: str) -> None:
        """Write as a warning."""
        self._printk(_WARNING, text)

    def error(self, text: str) -> None:
        """Write as an error."""
        self._printk(_ERROR, text)

    def failed(self, what: str, error: E) -> E:
        """Write what failed with which errno, and return the error to be raised."""
        self.error(f"{what}: -{error_number(error)}")
        return error

    def crash(self, name: str, reason: str) -> None:
        """Write as rproc_report_crash does; a reason may begin with the kernel's word for it."""
        kind = next((kind for kind in _KINDS if reason.startswith(kind)), "fatal error")
        self.error(f"crash detected in {name}: type {kind}")


def error_number(error: BaseException) -> int:
    """Return the errno of an OSError or HostFault; EIO where there is none."""
    return getattr(error, "errno", 0) or EIO
