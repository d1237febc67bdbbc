"""Threads with small stacks."""

from __future__ import annotations

import threading
from collections.abc import Callable

# Address space for the C stack: ample for protobuf and for the deepest recursion that the
# interpreter allows its C code (measured: nested JSON of 1,000 levels), an eighth of the default.
STACK_SIZE = 1 << 20

_lock = threading.Lock()


def start(target: Callable[[], None], name: str) -> threading.Thread:
    """Start a daemon thread. Raises RuntimeError if the system gives no more threads."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    # The size is the process's: put it back, for it is not ours.
    with _lock:
        before = threading.stack_size(STACK_SIZE)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    return thread
