"""A simulated board for each test, driven by the command line as an engine or operator does."""

import os

import pytest

from features.backends import sample_firmware
from features.backends.sim import SimBackend
from tests.integration.oci import Runtime


@pytest.fixture(scope="session")
def firmware(tmp_path_factory):
    """The sample firmware, built."""
    sample_firmware.build(os.path.join(tmp_path_factory.getbasetemp().parent, "firmware.lock"))


@pytest.fixture
def bench(tmp_path, firmware):
    """A bench whose board has the processors m3-0 and m3-1; nothing may be left of it."""
    bench = SimBackend(str(tmp_path / "bench"))
    bench.board(["m3-0", "m3-1"])
    os.mkdir(bench.root, 0o700)
    yield bench
    left = bench.close()
    assert not left, f"left behind: {left}"


@pytest.fixture
def bundle(bench):
    """A bundle with firmware that runs on, for m3-0."""
    return bench.bundle(bench.sample("prints and runs on"), "m3-0")


@pytest.fixture
def runtime(tmp_path):
    """The command line on a board of four; nothing may be left of it."""
    runtime = Runtime(tmp_path)
    yield runtime
    runtime.delete()
    assert runtime.left() == []
