"""A processor of a mounted board wakes its supervisor when it crashes, and not before."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from pathlib import Path

import pytest

from adapters.sysfs.board import SysfsBoard
from domain.annotations import ProcessorOptions
from features.backends.processes import wait_until_blocked
from tests.contract.backend_fixture import FIRMWARE
from tests.firmware_images import image_of
from tests.simulator import CHECKOUT, Simulator

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or not os.path.exists("/dev/fuse"), reason="needs root and /dev/fuse"
)

BOARD = (Path(CHECKOUT) / "adapters/sim/boards/quad.yaml").read_text()
CRASH = "sys/kernel/debug/remoteproc/{}/crash"


@pytest.fixture
def simulator():
    with Simulator(board=BOARD) as simulator:
        yield simulator


def started(root, **options):
    processor = SysfsBoard(root).open("remoteproc0", ProcessorOptions(**options))
    firmware = image_of(FIRMWARE / "hello-traced.elf")
    claim = processor.plan_claim("c1", firmware)
    processor.load(claim, firmware)
    processor.start()
    processor.state()
    return processor, claim


def ready(processor, seconds):
    return select.select(processor.watch(), [], [], seconds)[0] != []


def test_the_log_of_the_kernel_wakes_at_a_crash_only(simulator):
    processor, claim = started(simulator.root)
    assert processor.poll_seconds == 1.0
    for _ in range(3):
        assert not ready(processor, 0.2)
        assert processor.state() == "running"
    Path(simulator.root, CRASH.format("remoteproc0")).write_text("1")
    deadline = time.monotonic() + 10
    while not processor.state().ended and time.monotonic() < deadline:
        assert ready(processor, 5), "no record of the crash woke the supervisor"
    assert processor.firmware_exit().reason == "watchdog"
    processor.release(claim)


def test_a_crash_elsewhere_wakes_once(simulator):
    processor, claim = started(simulator.root)
    Path(simulator.root, CRASH.format("remoteproc1")).write_text("1")  # logged, although it is off
    assert ready(processor, 5)
    assert processor.state() == "running"
    assert (processor.poll_seconds, tuple(processor.watch())) == (0.1, ())
    time.sleep(0.11)
    assert processor.state() == "running"
    assert not ready(processor, 0.2) and processor.watch()
    processor.release(claim)


def test_with_recovery_by_the_kernel_every_turn_looks(simulator):
    processor, claim = started(simulator.root, recovery="kernel")
    assert (processor.poll_seconds, tuple(processor.watch())) == (0.1, ())
    processor.release(claim)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_simulator_wakes(simulator, number):
    processor, claim = started(simulator.root)
    woken = []
    thread = threading.Thread(target=lambda: woken.append(ready(processor, 10)))
    thread.start()
    wait_until_blocked(thread.native_id)
    status, errors = simulator.end(number)
    assert (status, errors) == (0 if number == signal.SIGTERM else -number, "")
    thread.join(10)
    assert woken == [True]
    assert processor.state() == "deleted"
    assert processor.firmware_exit().crashed
    processor.release(claim)
