"""Formats the messages about one processor for the kernel's log."""

from __future__ import annotations

from errno import EIO

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Protocol, TypeVar

    class Printk(Protocol):
        """Takes a level of <linux/kern_levels.h>, a message without the device's prefix, a device.

        The device is the processor, or what the kernel makes for it: BUS, VDEV.
        """

        def __call__(self, level: int, text: str, device: str = "", /) -> None: ...

    _Error = TypeVar("_Error", bound=BaseException)

_ERROR, _WARNING, _INFORMATION = 3, 4, 6
BUS, VDEV = "virtio_rpmsg_bus", "rproc-virtio"
"""The drivers of rpmsg's virtio device and of the platform device above it."""

NEW_CHANNEL = "rpmsg: creating channel "
"""How a remark on a channel begins that the firmware announces."""

_KINDS = ("mmufault", "watchdog", "unknown")


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

    def rpmsg_is_online(self) -> None:
        """Log as virtio_rpmsg_bus.c and remoteproc_virtio.c do; `{}` is the device's name."""
        self._printk(_INFORMATION, "rpmsg host is online", BUS)
        self._printk(_INFORMATION, "registered {} (type 7)", VDEV)

    def remark(self, words: str) -> None:
        """Log what was noticed of the firmware: a new channel as virtio_rpmsg_bus.c does."""
        if words.startswith(NEW_CHANNEL):
            self._printk(_INFORMATION, words.removeprefix("rpmsg: "), BUS)
        else:
            self.warning(words)

    def failed(self, what: str, error: _Error) -> _Error:
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
