"""Threads leave the signals that end a program to the main thread."""

from __future__ import annotations

import signal
import threading

from adapters.containerd.ttrpc import threads


def test_a_thread_blocks_the_signals_that_the_main_thread_handles():
    found: list[set[int]] = []
    threads.start(lambda: found.append({*signal.pthread_sigmask(signal.SIG_BLOCK, ())}), "t").join()
    assert found[0] >= {signal.SIGTERM, signal.SIGINT}
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGTERM, signal.SIGINT}


def test_threads_may_start_threads():
    done = threading.Event()
    threads.start(lambda: threads.start(done.set, "inner").join(), "outer").join(5)
    assert done.is_set()
