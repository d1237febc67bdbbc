"""Reads the kernel's messages about one processor from /dev/kmsg, without blocking.

A user who may not read the log gets no messages, and no error.
TI's K3 drivers only log a crash, in the name of the parent device: the state stays `running`.
Source: Linux Documentation/ABI/testing/dev-kmsg; remoteproc_core.c for the lines;
ti_k3_common.c, ti_k3_r5_remoteproc.c (mailbox callbacks).
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 256
"""Records that `collect` reads at most."""

_KEPT = 256  # messages of one processor that nobody has read yet
_READ_WITHIN = 0.2  # seconds
_LOGGED_WITHIN = 0.1  # seconds from a change of the state until the kernel has logged it
_RECORD = 8192  # bytes; a read into a buffer smaller than the record fails with EINVAL
_CRASH = ": type "
_LOGGED_ONLY = "its driver has logged it, and left the state as it was"
_STARTED = (" is now up", " is now attached")
_STOPPED = "stopped remote processor "
_RECOVERY = "handling crash #"
_ROUTINE = (
    "powering up ",
    "firmware: direct-loading ",
    "Booting fw image ",
    "Boot failed: ",  # the errno of the write says the same
    "remote processor ",
    _STOPPED,
)


class KmsgReader:
    """The messages about the processor `device`, which is called `name`, since `open`.

    `path` is that of kmsg. `logged_only` is not empty once the driver has logged a crash that no
    state shows: it says so for people. `lost` is set when messages may be missing, for the caller
    to clear.
    """

    __slots__ = ("_descriptor", "_driver", "_messages", "_path", "_prefix", "logged_only", "lost")

    def __init__(self, path: str, device: str, name: str = "") -> None:
        self._path = path
        self._prefix = f"remoteproc {device}: ".encode()
        self._driver = f" rproc {name} crashed".encode()
        self.logged_only = ""
        self.lost = False
        self._descriptor = -1
        self._messages: list[str] = []

    def open(self) -> None:
        """Start at the end of the log, if this user may read it."""
        self.close()
        self.logged_only = ""
        self.lost = False
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError:
            self.close()

    @property
    def is_open(self) -> bool:
        """Whether `read` may return messages."""
        return self._descriptor >= 0

    @property
    def descriptor(self) -> int:
        """The open log; -1 for none."""
        return self._descriptor

    @property
    def messages(self) -> Sequence[str]:
        """The messages that the next `read` will return at least."""
        return self._messages

    def close(self) -> None:
        """Close the log and forget its messages; later messages are not read."""
        self._messages = []
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            try:
                os.close(descriptor)
            except OSError:
                pass  # the simulator has died; the descriptor is closed all the same

    def read(self) -> list[str]:
        """Return the messages since the last call, oldest first.

        While the kernel logs faster than this process reads, the newest messages may be missing.
        """
        deadline = time.monotonic() + _READ_WITHIN
        while self.collect() == BATCH:
            if time.monotonic() >= deadline:
                self.lost = True
                break
        found, self._messages = self._messages, []
        return found

    def last_words(self, *, crashed: bool) -> list[str]:
        """Return what `read` does, once that tells of the crash or stop that the state shows.

        The kernel changes the state first. Waits for a moment at most: a line may be missing.
        """
        deadline = time.monotonic() + _LOGGED_WITHIN
        found = self.read()
        while self.is_open and time.monotonic() < deadline:
            if crash_type(found) or (not crashed and any(map(tells_stop, found))):
                break
            time.sleep(0.005)
            found += self.read()
        return found

    def collect(self) -> int:
        """Read up to BATCH records of the log, return how many, and keep what `read` returns."""
        for count in range(BATCH):
            if self._descriptor < 0:
                return count
            try:
                record = os.read(self._descriptor, _RECORD)
            except BlockingIOError:
                return count
            except BrokenPipeError:
                self.lost = True  # they were overwritten; the next read returns the oldest left
                continue
            except OSError:
                record = b""
            if not record:
                self._close()  # a regular file instead of the kernel's log
            text = record.partition(b";")[2].partition(b"\n")[0]
            if text.startswith(self._prefix):
                message = text.removeprefix(self._prefix).decode("utf-8", "replace")
                self._messages = [*self._messages[-_KEPT:], message]
            elif text.endswith(self._driver) and b": K3 " in text:
                self.logged_only = _LOGGED_ONLY
        return BATCH


def crash_type(messages: Sequence[str]) -> str:
    """Return the type of the last crash: `watchdog`, `fatal error`, ...; `` if none crashed."""
    for message in reversed(messages):
        if message.startswith("crash detected in ") and _CRASH in message:
            return message.rpartition(_CRASH)[2].strip()
    return ""


def tells_start(message: str) -> bool:
    """Return whether the kernel tells that the processor runs, or that it has attached to it."""
    return message.startswith("remote processor ") and message.endswith(_STARTED)


def tells_stop(message: str) -> bool:
    """Return whether the kernel tells that it has stopped the processor."""
    return message.startswith(_STOPPED)


def tells_recovery(message: str) -> bool:
    """Return whether the kernel tells that it handles a crash, and so recovers if it may."""
    return message.startswith(_RECOVERY)


def error_messages(messages: list[str]) -> list[str]:
    """Return the messages without those that the kernel logs at every start and stop."""
    return [message.strip() for message in messages if not message.startswith(_ROUTINE)]
