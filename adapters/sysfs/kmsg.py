"""What the kernel's log says of one processor from a moment on (/dev/kmsg, never blocking).

Needs the right to read the log; without it there is simply nothing to tell.
Source: Linux Documentation/ABI/testing/dev-kmsg; remoteproc_core.c for the lines.
"""

from __future__ import annotations

import os

_RECORD = 8192  # bytes; the kernel refuses to give a longer record in pieces
_CRASH = ": type "
_ROUTINE = (
    "powering up ",
    "firmware: direct-loading ",
    "Booting fw image ",
    "Boot failed: ",  # the errno says as much
    "remote processor ",
    "stopped remote processor ",
)


class KmsgReader:
    """The records about processor `device` since `open`; `path` is that of kmsg."""

    __slots__ = ("_descriptor", "_path", "_prefix")

    def __init__(self, path: str, device: str) -> None:
        self._path = path
        self._prefix = f"remoteproc {device}: "
        self._descriptor = -1

    def open(self) -> None:
        """Listen from now on, if that is allowed."""
        self.close()
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError:
            self.close()

    @property
    def is_open(self) -> bool:
        """Whether `news` can have any."""
        return self._descriptor >= 0

    def close(self) -> None:
        """Stop is_open; what comes later is lost."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            try:
                os.close(descriptor)
            except OSError:
                pass  # closed all the same; it was of a simulated board, which has died

    def read(self) -> list[str]:
        """Return the messages since the last call, oldest first."""
        found = []
        while self._descriptor >= 0:
            try:
                record = os.read(self._descriptor, _RECORD)
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue  # some were overwritten; the next read gives the oldest left
            except OSError:
                record = b""
            if not record:
                self.close()  # no kernel's log, but a plain file in its place
            text = record.partition(b";")[2].partition(b"\n")[0].decode("utf-8", "replace")
            if text.startswith(self._prefix):
                found.append(text.removeprefix(self._prefix))
        return found


def crash_type(messages: list[str]) -> str:
    """Return `watchdog`, `fatal error`, ... of the last crash among the messages, `` if none."""
    for message in reversed(messages):
        if message.startswith("crash detected in ") and _CRASH in message:
            return message.rpartition(_CRASH)[2].strip()
    return ""


def error_messages(messages: list[str]) -> list[str]:
    """Return the messages less those that every start and stop makes."""
    return [message.strip() for message in messages if not message.startswith(_ROUTINE)]
