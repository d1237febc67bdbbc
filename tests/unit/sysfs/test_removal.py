"""The end of a processor whose driver is removed: the driver stops its firmware first."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.board import SysfsBoard
from domain.annotations import ProcessorOptions
from domain.processor import DELETED, OFFLINE
from tests.contract.backend_fixture import FIRMWARE
from tests.firmware_images import image_of
from tests.simulator import Simulator

BOARD = (Path(__file__).parents[3] / "adapters/sim/boards/quad.yaml").read_text()


@pytest.fixture
def stopped():
    """A processor whose firmware somebody else has stopped."""
    with Simulator(board=BOARD) as simulator:
        processor = SysfsBoard(simulator.root).open("remoteproc0", ProcessorOptions())
        firmware = image_of(FIRMWARE / "hello-traced.elf")
        claim = processor.plan_claim("c1", firmware)
        processor.load(claim, firmware)
        processor.start()
        state = Path(simulator.root) / "sys/class/remoteproc/remoteproc0/state"
        state.write_text("stop")
        assert processor.state() == OFFLINE
        yield processor
        processor.release(claim)


def test_a_stop_before_the_processor_goes_is_the_drivers_removal(stopped, monkeypatch):
    states = [OFFLINE, OFFLINE, OFFLINE, DELETED]
    with monkeypatch.context() as patch:
        patch.setattr(Attributes, "state", lambda attributes: states.pop(0))
        end = stopped.firmware_exit()
    assert (end.crashed, end.reason) == (True, "its driver was removed")


def test_a_stop_after_which_the_processor_stays_is_no_crash(stopped):
    end = stopped.firmware_exit()
    assert (end.crashed, "somebody else stopped it" in end.reason) == (False, True)
