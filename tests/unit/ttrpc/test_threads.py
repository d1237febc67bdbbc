"""Threads leave the signals that end a program to the main thread."""

from __future__ import annotations

import signal
import threading

from adapters.containerd.ttrpc import threads


def test_a_thread_blocks_the_signals_that_the_main_thread_handles():
    found: list[set[int]] = []
    threads.start(lambda: found.append({*signal.pthread_sigmask(signal.SIG_BLOCK, ())})).join()
    assert found[0] >= {signal.SIGTERM, signal.SIGINT}
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGTERM, signal.SIGINT}


def test_threads_may_start_threads():
    done = threading.Event()
    threads.start(lambda: threads.start(done.set).join()).join()
    assert done.is_set()


def test_a_thread_that_is_joined_by_itself_does_not_wait_for_ever():
    joined = threading.Event()
    itself: list[threads.Thread] = []

    def work():
        while not itself:
            pass
        itself[0].join()
        joined.set()

    itself.append(threads.start(work))
    itself[0].join()
    assert joined.is_set()
