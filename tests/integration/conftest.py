"""Gives each test a simulated board, which it uses by the command line as an operator does."""

import os

import pytest

from features.backends import sample_firmware
from features.backends.sim import SimBackend
from tests.integration.oci import Runtime


@pytest.fixture(scope="session")
def firmware(tmp_path_factory):
    """Builds the sample firmware."""
    sample_firmware.build(os.path.join(tmp_path_factory.getbasetemp().parent, "firmware.lock"))


@pytest.fixture
def backend(tmp_path, firmware):
    """A board with the processors m3-0 and m3-1. Fails the test that leaves anything."""
    backend = SimBackend(str(tmp_path / "backend"))
    backend.board(["m3-0", "m3-1"])
    os.mkdir(backend.root, 0o700)
    yield backend
    left = backend.close()
    assert not left, f"left behind: {left}"


@pytest.fixture
def bundle(backend):
    """A bundle for m3-0, whose firmware runs until it is stopped."""
    return backend.bundle(backend.sample("prints and runs on"), "m3-0")


@pytest.fixture
def runtime(tmp_path):
    """The command line on a board with four processors. Fails the test that leaves anything."""
    runtime = Runtime(tmp_path)
    yield runtime
    runtime.delete()
    assert runtime.left() == []
