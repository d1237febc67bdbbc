"""How a service learns that it is to end."""

from __future__ import annotations

import signal
import threading


def end_event() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set from now on."""
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    return end
