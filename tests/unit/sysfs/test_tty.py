"""A tty as console: found below its processor, in raw mode, and reopened after a hang-up."""

from __future__ import annotations

import os
import tty

import pytest

from adapters.sysfs.board import SysfsBoard
from adapters.sysfs.policy import Policy
from adapters.sysfs.tty import TtyConsole, rpmsg_tty
from domain.annotations import ProcessorOptions


@pytest.fixture
def pty(tree):
    """A pseudo-terminal whose slave is /dev/ttyRPMSG5 of the tree."""
    (tree.root / "dev").mkdir()
    master, slave = os.openpty()
    (tree.root / "dev/ttyRPMSG5").symlink_to(os.ttyname(slave))
    tty.setraw(master)
    os.close(slave)
    yield master
    try:
        os.close(master)
    except OSError:
        pass


def descend(tree, name, device):
    """Make a tty a descendant of a processor's device, as in sysfs."""
    real = tree.root / "sys/class/remoteproc" / device / "rproc-virtio.0.auto/virtio0/chan"
    real.mkdir(parents=True)
    entry = tree.root / "sys/class/tty" / name
    entry.mkdir(parents=True)
    (entry / "device").symlink_to(real)


def test_found_by_descent_not_by_number(tree):
    place = str(tree.processor("remoteproc1", name="m4"))
    tree.processor("remoteproc10", name="m7")
    assert rpmsg_tty(str(tree.root), place) == ""
    descend(tree, "ttyRPMSG0", "remoteproc10")
    assert rpmsg_tty(str(tree.root), place) == ""
    descend(tree, "ttyRPMSG5", "remoteproc1")
    assert rpmsg_tty(str(tree.root), place) == f"{tree.root}/dev/ttyRPMSG5"


def test_both_directions_unchanged(tree, pty):
    place = str(tree.processor("remoteproc0", name="m4"))
    descend(tree, "ttyRPMSG5", "remoteproc0")
    console = TtyConsole(str(tree.root), place, "", 115200)
    assert console.read() == b"" and len(console.descriptors()) == 1
    os.write(pty, b"a\r\n\x03\x04b")
    assert console.read() == b"a\r\n\x03\x04b"
    assert console.write(b"x\ny") == 3
    assert os.read(pty, 100) == b"x\ny"
    assert console.read() == b""
    taken = 0
    while count := console.write(bytes(65536)):
        taken += count
    assert taken > 0, "a full tty takes nothing and does not block"
    console.close()


def test_hang_up_ends_the_watch(tree, pty):
    place = str(tree.processor("remoteproc0", name="m4"))
    console = TtyConsole(str(tree.root), place, "/dev/ttyRPMSG5", 0)
    assert console.open()
    os.close(pty)
    assert console.read() == b""
    assert console.descriptors() == () and console.read() == b"" and console.write(b"x") == 0


def test_a_tty_that_cannot_be_opened_is_reported_once(tree, monkeypatch):
    place = str(tree.processor("remoteproc0", name="m4"))
    console = TtyConsole(str(tree.root), place, "/dev/ttyS9", 0)
    assert console.read() == b"" and console.problem() == "", "it may still come"
    monkeypatch.setattr("adapters.sysfs.tty._REPORT_AFTER", 0.0)
    assert console.problem().startswith(f"cannot open {tree.root}/dev/ttyS9: No such file")
    assert console.problem() == ""


def test_processor_without_tty_drops_input(tree):
    tree.processor("remoteproc0", name="m4", state="offline")
    board = SysfsBoard(str(tree.root), default=Policy(consoles={"/dev/ttyS9": 0}))
    assert board.open("remoteproc0", ProcessorOptions()).console.write_input(b"abc") == 3
    assert (
        board.open("remoteproc0", ProcessorOptions(console="none")).console.write_input(b"abc") == 3
    )
    assert (
        board.open("remoteproc0", ProcessorOptions(console="/dev/ttyS9")).console.write_input(
            b"abc"
        )
        == 0
    )
