"""A server for a test, and the proof that it leaves nothing behind."""

from __future__ import annotations

import os

import pytest

from tests.unit.ttrpc.harness import Running, eventually


@pytest.fixture
def start(tmp_path):
    running: list[Running] = []

    def start(**options):
        running.append(Running(tmp_path / f"s{len(running)}", **options))
        return running[-1]

    before = {each: len(os.listdir(f"/proc/self/{each}")) for each in ("fd", "task")}
    yield start
    for server in running:
        server.stop()
    # No descriptor and no thread that a test leaves may be the server's or a client's.
    for each, most in before.items():
        eventually(lambda each=each, most=most: len(os.listdir(f"/proc/self/{each}")) <= most)


@pytest.fixture
def running(start):
    return start()
