"""Proves that a mounted board shows the firmware's rpmsg tty as the kernel does."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from adapters.sim.board_file import SHIPPED
from adapters.sysfs.tty import TtyConsole, rpmsg_tty
from tests.simulator import CHECKOUT, Simulator
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(
        os.getuid() != 0 or not os.path.exists("/dev/fuse"), reason="needs root and /dev/fuse"
    ),
]
ECHO = f"{CHECKOUT}/firmware/build/stm32mp1-m4/rpmsg_echo.elf"


@pytest.fixture
def simulator(firmware):
    with open(f"{SHIPPED}/stm32mp1-m4.yaml") as file, Simulator(board=file.read()) as simulator:
        yield simulator


def state(simulator, word):
    with open(f"{simulator.root}/sys/class/remoteproc/remoteproc0/state", "w") as file:
        file.write(word)


def talk(console, sent):
    """Write to the tty and read from it, until as much has come back; return that."""
    parts = [b""]

    def echoed():
        nonlocal sent
        sent = sent[console.write(sent) :]
        parts.append(console.read())
        return sum(map(len, parts)) >= size

    size = len(sent)
    assert wait_until(echoed, 60)
    return b"".join(parts)


def run_once(simulator):
    root, processor = simulator.root, f"{simulator.root}/sys/class/remoteproc/remoteproc0"
    assert rpmsg_tty(root, processor) == "" and not os.path.exists(f"{root}/dev/ttyRPMSG0")
    state(simulator, "start")
    console = TtyConsole(root, processor, "", 0)
    assert wait_until(console.open, 20)
    device = os.path.realpath(f"{root}/sys/class/tty/ttyRPMSG0/device")
    assert device.startswith(os.path.realpath(processor))
    assert device.endswith("/virtio0/virtio0.rpmsg-tty.-1.1025")
    sent = b"".join(b"line %d\n" % number for number in range(3000))
    assert talk(console, sent) == sent
    state(simulator, "stop")
    assert wait_until(lambda: console.read() == b"" and not console.descriptors(), 20)
    assert rpmsg_tty(root, processor) == ""
    console.close()


def test_the_tty_of_the_firmwares_channel_comes_and_goes(simulator):
    shutil.copy(ECHO, f"{simulator.root}/lib/firmware/echo.elf")
    with open(f"{simulator.root}/sys/class/remoteproc/remoteproc0/firmware", "w") as file:
        file.write("echo.elf")
    run_once(simulator)
    run_once(simulator)
    log = os.open(f"{simulator.root}/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    lines = os.read(log, 1 << 16)
    while b"creating channel" not in lines:
        lines += os.read(log, 1 << 16)
    os.close(log)
    assert b"virtio_rpmsg_bus virtio0: creating channel rpmsg-tty addr 0x401" in lines


def test_the_link_in_dev_is_removed_also_after_a_kill(simulator):
    link = f"{simulator.root}/dev/ttyRPMSG0"
    assert os.path.islink(link)
    simulator.end(signal.SIGKILL)
    with open(f"{SHIPPED}/stm32mp1-m4.yaml") as file, Simulator(simulator.root, file.read()):
        assert os.path.islink(link)
    assert not os.path.lexists(link)
