"""What the server tells a handler about a call, besides the request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence


class CallContext:
    """One call, as its handler sees it.

    Attributes:
        service, method: the names that the client called; one handler may serve several.
        metadata: key to values, as the client sent them.
        deadline: on time.monotonic()'s clock, or None. At that moment the server sends the
            client an error, whatever the handler does.
        cancelled: set when no client waits for the response any longer: the deadline has
            passed, the peer has gone, or the server closes. A handler that blocks should watch
            it.
    """

    __slots__ = ("_callbacks", "_lock", "cancelled", "deadline", "metadata", "method", "service")

    def __init__(
        self,
        service: str,
        method: str,
        metadata: Mapping[str, Sequence[str]],
        deadline: float | None,
    ) -> None:
        self.service = service
        self.method = method
        self.metadata = metadata
        self.deadline = deadline
        self.cancelled = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def remaining(self) -> float | None:
        """Return the seconds until the deadline, not below 0; None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Run `callback` once when the call is cancelled, at once if that has happened.

        The callback is there to wake a handler that waits for something of its own. The server's
        loop runs the callback, so the callback must not block; the loop ignores what it raises.
        """
        with self._lock:
            if not self.cancelled.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def cancel(self) -> None:
        """Tell the handler that no client waits for its response. Safe to repeat."""
        with self._lock:
            self.cancelled.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback()
            except Exception:
                pass  # the mistake of one handler must not end the server's loop
