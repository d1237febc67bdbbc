"""What cannot be read is not taken for a processor that is free: the claim on it stays.

And an owner needs no further descriptor to stop its firmware and to undo its claim.
"""

from __future__ import annotations

import errno
import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.sysfs.board import SysfsBoard
from adapters.sysfs.firmware_files import unpublish
from adapters.sysfs.preflight import table_rule
from adapters.sysfs.search_path import SearchPath
from domain.annotations import ProcessorOptions
from domain.errors import HostFault
from tests.contract.backend_fixture import FIRMWARE
from tests.firmware_images import image_of
from tests.simulator import Simulator

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="mounts a board")
BOARD = (Path(__file__).parents[3] / "adapters/sim/boards/quad.yaml").read_text()
IMAGE = image_of(FIRMWARE / "hello-traced.elf")
ATTRIBUTES = ("firmware", "recovery", "coredump")


@contextmanager
def no_descriptor_left():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Running:
    """Firmware on the first processor of a board, and what was there before."""

    def __init__(self, simulator):
        self.root = Path(simulator.root)
        self.place = self.root / "sys/class/remoteproc/remoteproc0"
        self.before = self.values()
        self.board = SysfsBoard(simulator.root)
        self.processor = self.board.open("remoteproc0", ProcessorOptions(coredump="enabled"))
        self.claim = self.processor.plan_claim("c1", IMAGE)
        self.processor.load(self.claim, IMAGE)
        self.processor.start()

    @property
    def state(self):
        return (self.place / "state").read_text().strip()

    def values(self):
        return [(self.place / name).read_text() for name in ATTRIBUTES]

    def published(self):
        return os.listdir(self.root / "lib/firmware/remoteproc-runtime")

    def is_undone(self):
        return self.state == "offline" and self.values() == self.before and not self.published()


@pytest.fixture
def running():
    with Simulator(board=BOARD) as simulator:
        running = Running(simulator)
        yield running
        running.processor.release(running.claim)


def test_an_owner_without_descriptors_undoes_its_claim(running):
    assert running.state == "running" and len(running.published()) == 1
    with no_descriptor_left():
        running.processor.release(running.claim)
    assert running.is_undone()


def test_a_command_without_descriptors_undoes_nothing_and_says_so(running):
    with no_descriptor_left(), pytest.raises(HostFault, match="EMFILE"):
        running.board.reclaim("remoteproc0", running.claim)
    assert running.state == "running" and len(running.published()) == 1
    running.board.reclaim("remoteproc0", running.claim)
    assert running.is_undone()


@pytest.mark.parametrize("number", [errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("attribute", ["name", "firmware", "state", "recovery"])
def test_an_attribute_that_cannot_be_read(running, attribute, number, monkeypatch):
    real = os.open

    def refuse(path, *args, **kwargs):
        if str(path).endswith(f"/remoteproc0/{attribute}"):
            raise OSError(number, os.strerror(number))
        return real(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(HostFault, match=errno.errorcode[number]):
            running.board.reclaim("remoteproc0", running.claim)
    assert running.published() or running.state == "offline"
    running.board.reclaim("remoteproc0", running.claim)
    assert running.is_undone()


def test_a_processor_without_descriptors_is_not_started(running):
    running.processor.release(running.claim)
    again = running.board.open("remoteproc0", ProcessorOptions())
    claim = again.plan_claim("c2", IMAGE)
    with no_descriptor_left(), pytest.raises(HostFault, match="EMFILE"):
        again.load(claim, IMAGE)
    assert running.is_undone()


def test_what_cannot_be_looked_at_is_an_error(running):
    search = SearchPath(str(running.root), "")
    with no_descriptor_left():
        for look in (
            lambda: unpublish(search, running.claim["firmware"], "remoteproc0"),
            lambda: table_rule(str(running.place)),
            search.directories,
            running.board.processors,
        ):
            with pytest.raises(HostFault, match="EMFILE"):
                look()
    assert len(running.published()) == 1
