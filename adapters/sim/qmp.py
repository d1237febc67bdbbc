"""QEMU's machine protocol without I/O: bytes in, messages out.

Source: QEMU docs/interop/qmp-spec.
"""

from __future__ import annotations

import json
from typing import Any


class Qmp:
    """One QMP session. The peer is not trusted: QEMU runs firmware that an image has brought.

    So a message has at most LONGEST bytes, and only the reply to the last request is kept.
    """

    LONGEST = 1 << 16

    def __init__(self) -> None:
        self._rest = b""
        self._serial = 0
        self.replies: dict[int, dict[str, Any]] = {}

    def request(self, command: str, **arguments: object) -> tuple[int, bytes]:
        """Return the key that the reply will have in `replies`, and the bytes to send to QEMU."""
        self._serial += 1
        self.replies.clear()
        message: dict[str, object] = {"execute": command, "id": self._serial}
        if arguments:
            message["arguments"] = arguments
        return self._serial, json.dumps(message).encode() + b"\n"

    def feed(self, received: bytes) -> list[tuple[str, dict[str, Any]]]:
        """Parse received bytes; return the events among them, each as name and data.

        The reply to the last request is added to `replies`. Raises ValueError if the bytes are not
        QMP.
        """
        *lines, self._rest = (self._rest + received).split(b"\n")
        if len(self._rest) > self.LONGEST:
            raise ValueError("endless QMP message")
        events = []
        for line in lines:
            message = _parsed(line) if line.strip() else {}
            if not isinstance(message, dict):
                raise ValueError("not a QMP message")
            data = message.get("data")
            if "event" in message:
                events.append((str(message["event"]), data if isinstance(data, dict) else {}))
            elif message.get("id") == self._serial:
                self.replies[self._serial] = message
        return events


def _parsed(line: bytes) -> Any:
    if len(line) > Qmp.LONGEST:
        raise ValueError("endless QMP message")
    try:
        return json.loads(line)
    except RecursionError:
        raise ValueError("a QMP message of too many levels") from None
