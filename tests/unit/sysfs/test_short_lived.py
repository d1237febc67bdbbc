"""Firmware that ends before the state is read back has been started all the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.board import SysfsBoard
from domain.annotations import ProcessorOptions
from domain.processor import OFFLINE
from tests.contract.backend_fixture import FIRMWARE
from tests.firmware_images import image_of
from tests.simulator import Simulator

BOARD = (Path(__file__).parents[3] / "adapters/sim/boards/quad.yaml").read_text()


@pytest.fixture
def processor():
    with Simulator(board=BOARD) as simulator:
        yield SysfsBoard(simulator.root).open("remoteproc0", ProcessorOptions())


def test_a_start_that_firmware_outruns_succeeds(processor, monkeypatch):
    write = Attributes.write

    def write_and_wait(attributes, name, value):
        write(attributes, name, value)
        deadline = time.monotonic() + 10
        while value == "start" and attributes.state() != OFFLINE and time.monotonic() < deadline:
            time.sleep(0.01)

    monkeypatch.setattr(Attributes, "write", write_and_wait)
    firmware = image_of(FIRMWARE / "exit0-traced.elf")
    claim = processor.plan_claim("c1", firmware)
    processor.load(claim, firmware)
    processor.start()
    assert processor.state() == OFFLINE
    assert not processor.firmware_exit().crashed
    assert processor.remarks() == []  # such as that it has no trace buffer
    processor.release(claim)
