"""Proves how firmware ends on a board that recovers crashes, and on a board that disappears."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from domain.annotations import ProcessorOptions
from tests.contract.backend_fixture import walk
from tests.contract.backends import BACKENDS, available
from tests.contract.sysfs_backends import SimfsBackendFixture
from tests.waiting import wait_until


@pytest.fixture(params=available("fake", "sim", "idle"))
def backend(request, tmp_path):
    made = BACKENDS[request.param](tmp_path)
    yield made
    made.close()


def test_an_end_that_is_no_crash_is_not_taken_for_one(backend):
    processor = backend.board.open(
        backend.board.processors()[0].device, ProcessorOptions(recovery="kernel")
    )
    claim = walk(processor, backend.image("exit"), "start")
    try:
        # The kernel's recovery would be waited for longer.
        wait_until(lambda: processor.state().ended, 4)
        assert not processor.firmware_exit().crashed
        assert not [text for text in processor.remarks() if "crashed" in text]
    finally:
        processor.release(claim)


@pytest.mark.skipif("simfs" not in available(), reason="needs root and /dev/fuse")
def test_a_simulated_board_that_dies(tmp_path):
    backend = SimfsBackendFixture(tmp_path)
    try:
        processor = backend.open()
        claim = walk(processor, backend.image("hello"), "start")
        backend.die()
        assert processor.state().ended
        assert processor.firmware_exit().crashed
        processor.release(claim)
    finally:
        backend.close()


@pytest.mark.skipif("simfs" not in available(), reason="needs root and /dev/fuse")
@pytest.mark.parametrize("way", ["stop", "release"])
def test_a_stop_amid_the_kernels_recovery_is_no_stop_of_a_processor_that_is_off(tmp_path, way):
    backend = SimfsBackendFixture(tmp_path)
    try:
        device = backend.board.processors()[0].device
        processor = backend.board.open(device, ProcessorOptions(recovery="kernel"))
        claim = walk(processor, backend.image("hello"), "start")
        debug = Path(f"{backend.root}/sys/kernel/debug")
        (debug / f"remoteproc-sim/{device}/start_delay").write_text("2")
        (debug / f"remoteproc/{device}/crash").write_text("1")
        wait_until(lambda: backend.read(device, "state") == "offline\n")
        if way == "stop":
            processor.stop()
        processor.release(claim)
        # This write waits for the end of a recovery that would be under way still.
        Path(f"{backend.root}/sys/class/remoteproc/{device}/recovery").write_text("recover")
        assert backend.read(device, "state") == "offline\n"
    finally:
        backend.close()


@pytest.fixture
def recovered(tmp_path):
    """A board, and what crashes firmware of another program that runs there.

    The kernel is recovering it when the call returns.
    """
    backend = SimfsBackendFixture(tmp_path)
    device = backend.board.processors()[0].device
    place = Path(f"{backend.root}/sys/class/remoteproc/{device}")
    debug = Path(f"{backend.root}/sys/kernel/debug")
    shutil.copy(backend.image("hello").path, f"{backend.root}/lib/firmware/theirs.elf")
    (place / "firmware").write_text("theirs.elf")
    (place / "state").write_text("start")

    def crash():
        (debug / f"remoteproc-sim/{device}/start_delay").write_text("2")
        (debug / f"remoteproc/{device}/crash").write_text("1")
        wait_until(lambda: backend.read(device, "state") == "offline\n")

    yield backend, device, crash
    backend.close()


@pytest.mark.skipif("simfs" not in available(), reason="needs root and /dev/fuse")
@pytest.mark.parametrize("attached, after", [("replace", "offline\n"), ("borrow", "running\n")])
def test_a_processor_is_taken_amid_the_kernels_recovery(recovered, attached, after):
    backend, device, crash = recovered
    crash()
    processor = backend.board.open(device, ProcessorOptions(attached=attached))
    processor.release(walk(processor, backend.image("hello"), "start"))
    assert backend.read(device, "state") == after
    assert backend.read(device, "firmware") == "theirs.elf\n"


@pytest.mark.skipif("simfs" not in available(), reason="needs root and /dev/fuse")
def test_what_the_kernel_recovers_is_not_started_for_a_dead_borrower(recovered):
    """The kernel would count a second user, and one `stop` would not stop it any more."""
    backend, device, crash = recovered
    processor = backend.board.open(device, ProcessorOptions(attached="borrow"))
    claim = walk(processor, backend.image("hello"), "plan_claim")
    crash()
    processor.release(claim)
    state = Path(f"{backend.root}/sys/class/remoteproc/{device}/state")
    assert state.read_text() == "running\n"
    state.write_text("stop")
    assert state.read_text() == "offline\n"
