"""A server for a test, and the proof that it leaves nothing behind."""

from __future__ import annotations

import os
import threading

import pytest

from tests.unit.ttrpc.harness import Running, eventually


@pytest.fixture
def start(tmp_path):
    running: list[Running] = []

    def start(**options):
        running.append(Running(tmp_path / f"s{len(running)}", **options))
        return running[-1]

    before = len(os.listdir("/proc/self/fd"))
    yield start
    for server in running:
        server.stop()
    # Nothing that a test leaves open may be the server's or a client's.
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)
    eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("ttrpc")])


@pytest.fixture
def running(start):
    return start()
