"""QEMU's machine protocol without I/O: bytes in, messages out (QEMU docs/interop/qmp-spec)."""

from __future__ import annotations

import json
from typing import Any


class Qmp:
    """One QMP conversation. The peer is the simulator, which runs what an image brought along."""

    LONGEST = 1 << 20

    def __init__(self) -> None:
        self._rest = b""
        self._serial = 0
        self.greeted = False
        self.replies: dict[int, dict[str, Any]] = {}

    def request(self, command: str, **arguments: object) -> tuple[int, bytes]:
        """Return a number that the reply will have in `replies`, and the bytes to send."""
        self._serial += 1
        message: dict[str, object] = {"execute": command, "id": self._serial}
        if arguments:
            message["arguments"] = arguments
        return self._serial, json.dumps(message).encode() + b"\n"

    def feed(self, received: bytes) -> list[tuple[str, dict[str, Any]]]:
        """Take what was received; return the events in it, as name and data.

        Raises ValueError where this is not QMP.
        """
        *lines, self._rest = (self._rest + received).split(b"\n")
        if len(self._rest) > self.LONGEST:
            raise ValueError("endless QMP message")
        events = []
        for line in lines:
            message = json.loads(line) if line.strip() else {}
            if not isinstance(message, dict):
                raise ValueError("not a QMP message")
            data = message.get("data")
            if "event" in message:
                events.append((str(message["event"]), data if isinstance(data, dict) else {}))
            elif "QMP" in message:
                self.greeted = True
            elif isinstance(message.get("id"), int):
                self.replies[message["id"]] = message
        return events
