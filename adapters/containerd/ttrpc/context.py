"""What a handler knows of its call besides the request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence


class CallContext:
    """One call, as its handler sees it.

    Attributes:
        service, method: names it was called by; one handler may serve several.
        metadata: key to values, as sent.
        deadline: on time.monotonic()'s clock, or None. The caller is answered at that moment
            whatever the handler does.
        cancelled: set when nobody waits for the answer any longer: the deadline has passed, the
            peer has gone, or the server closes. A handler that blocks should watch it.
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
        """Seconds until the deadline, not below 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call back once when the call is cancelled, at once if it is already.

        For a handler that waits on something of its own, to wake it. Called in the server's
        thread, so it must not block; what it raises is lost.
        """
        with self._lock:
            if not self.cancelled.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def cancel(self) -> None:
        """Tell the handler that its answer is no longer wanted. Safe to repeat."""
        with self._lock:
            self.cancelled.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback()
            except Exception:
                # One call's mistake must not take the server's loop with it.
                pass
