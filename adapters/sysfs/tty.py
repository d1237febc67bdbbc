"""A tty as the firmware's console: the rpmsg tty, or one that the configuration allows."""

from __future__ import annotations

import errno
import os
import time

from adapters.linux.view import Place
from domain.errors import reason

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 16
_DRAIN_MAX = 1 << 20  # bytes that `drain` reads: the firmware may never stop printing
_SEARCH_PAUSE = 0.5  # seconds between attempts to open a tty that is not there yet
_EAGER_ATTEMPTS = 20  # attempts without that pause
_REPORT_AFTER = 5.0  # seconds without a tty, until `problem` reports it


def rpmsg_tty(root: str, processor: str) -> str:
    """Return the path of the first rpmsg tty below the processor's device, `` for none.

    The number of a tty does not tell its processor: the kernel numbers ttys as they appear.
    """
    base = f"{os.path.realpath(processor)}/"
    try:
        names = sorted(n for n in os.listdir(f"{root}/sys/class/tty") if n.startswith("ttyRPMSG"))
    except OSError:
        return ""
    for name in sorted(names, key=len):
        if os.path.realpath(f"{root}/sys/class/tty/{name}/device").startswith(base):
            return f"{root}/dev/{name}"
    return ""


class TtyConsole:
    """Reads and writes one tty, which may appear and disappear with the firmware; never blocks.

    `device` is its path, `` for the processor's rpmsg tty; `speed` in baud, 0 for no change.
    """

    __slots__ = (
        *("_descriptor", "_device", "_attempts", "_next_attempt", "_processor", "_root", "_speed"),
        *("_missing_since", "_reported", "_problem"),
    )

    def __init__(self, root: str, processor: str, device: str, speed: int) -> None:
        self._root = root
        self._processor = "" if device else os.path.realpath(processor)
        self._device = device
        self._speed = speed
        self._descriptor = -1
        self._attempts = 0
        self._next_attempt = 0.0
        self._missing_since = 0.0  # the first attempt that failed
        self._problem = ""  # why it failed
        self._reported = False

    def later_places(self) -> Iterator[Place]:
        """Yield what `open` uses. The tty's own file may appear at any time, again and again."""
        import termios  # noqa: F401  # no module's file can be found later

        yield Place(f"{self._root}/dev")
        if not self._device:
            yield Place(f"{self._root}/sys/class/tty")
            yield Place(self._processor)

    def descriptors(self) -> tuple[int, ...]:
        """Return the descriptors that become readable when there is output."""
        return (self._descriptor,) if self._descriptor >= 0 else ()

    def open(self) -> bool:
        """Open the tty if it is there; return whether it is open."""
        if self._descriptor >= 0:
            return True
        if time.monotonic() < self._next_attempt:
            return False
        self._attempts += 1
        self._missing_since = self._missing_since or time.monotonic()
        self._next_attempt = time.monotonic() + (
            _SEARCH_PAUSE if self._attempts > _EAGER_ATTEMPTS else 0
        )
        path = self._root + self._device if self._device else ""
        path = path or rpmsg_tty(self._root, self._processor)
        if path:
            try:
                flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
                self._descriptor = os.open(path, flags)
                _make_raw(self._descriptor, self._speed)
                self._attempts, self._missing_since = 0, 0.0
            except OSError as error:
                self._problem = f"cannot open {path}: {reason(error)}"
                self.close()
        else:
            self._problem = "its firmware announces none, or the kernel lacks the driver rpmsg_tty"
        return self._descriptor >= 0

    def problem(self) -> str:
        """Return, once, why the tty is not open after some seconds of attempts; else ``."""
        if (
            self._reported
            or not self._missing_since
            or time.monotonic() - self._missing_since < _REPORT_AFTER
        ):
            return ""
        self._reported = True
        return self._problem

    def drain(self) -> bytes:
        """Return the output received so far, if the tty is open."""
        found = b""
        while self._descriptor >= 0 and len(found) < _DRAIN_MAX and (data := self.read()):
            found += data
        return found

    def read(self) -> bytes:
        """Return a chunk of output, b"" for none."""
        if not self.open():
            return b""
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""  # EIO, EPIPE: the firmware's end was closed
        if not data:
            self.close()
        return data

    def write(self, data: bytes) -> int:
        """Return how many bytes the tty took; 0 if it is not open or full."""
        if not self.open():
            return 0
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            # The rpmsg driver returns ENOMEM when it has no free buffers.
            if error.errno not in (errno.EAGAIN, errno.ENOMEM):
                self.close()
            return 0

    def close(self) -> None:
        """Close the tty; a later read opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._next_attempt = time.monotonic() + _SEARCH_PAUSE


def _make_raw(descriptor: int, speed: int) -> None:
    """Set raw mode, as cfmakeraw of termios(3), and the speed. Raises OSError."""
    import termios

    try:
        _, oflag, cflag, lflag, ispeed, ospeed, control = termios.tcgetattr(descriptor)
        lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8 | termios.CLOCAL
        if speed:
            ispeed = ospeed = getattr(termios, f"B{speed}", ospeed)
        control[termios.VMIN], control[termios.VTIME] = 1, 0
        raw = [termios.IGNBRK, oflag & ~termios.OPOST, cflag, lflag, ispeed, ospeed, control]
        termios.tcsetattr(descriptor, termios.TCSANOW, raw)
    except termios.error as error:
        raise OSError(*error.args) from error
