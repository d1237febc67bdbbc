"""Linux' side of rpmsg bears whatever firmware does with the memory and the doorbell."""

import os
import random
import struct

import pytest

from adapters.sim.board_file import load_board
from adapters.sim.rpmsg.channels import KEPT, MOST
from adapters.sim.rpmsg.link import RpmsgLink

NAME_SERVICE, TTY = 53, 0x401
CREATE, DESTROY = 0, 1


class Device:
    """The firmware's side of rpmsg, played by a test."""

    def __init__(self, spec, firmware):
        self.link = RpmsgLink(spec, firmware, spec.mailbox)
        self.doorbell = os.dup(self.link.inherited[1])
        self.memory = self.link.memory.bytes
        assert self.link.device
        self.rings = self.link.device.rings
        self.used = [0, 0]
        self.link.begin()
        self.ring()  # the firmware listens

    def ring(self):
        os.write(self.doorbell, b"\0")
        return self.link.receive()

    def at(self, queue):
        return self.link.memory.offset(self.rings[queue].address, 1)

    def available(self, queue, number):
        """Return the number of the n-th buffer that Linux has given, None if it has not."""
        at = self.at(queue) + 16 * self.rings[queue].length
        (index,) = struct.unpack_from("<H", self.memory, at + 2)
        if index - number & 0xFFFF == 0:
            return None
        return struct.unpack_from("<H", self.memory, at + 4 + 2 * (number % 16))[0]

    def give_back(self, queue, buffer, size, steps=1):
        at = self.at(queue) + self.rings[queue].used
        struct.pack_into("<II", self.memory, at + 4 + 8 * (self.used[queue] % 16), buffer, size)
        self.used[queue] = self.used[queue] + steps & 0xFFFF
        struct.pack_into("<H", self.memory, at + 2, self.used[queue])

    def send(self, to, data, length=None, size=None):
        buffer = self.available(0, self.used[0])
        descriptor = self.at(0) + 16 * buffer
        (address,) = struct.unpack_from("<Q", self.memory, descriptor)
        length = len(data) if length is None else length
        message = struct.pack("<IIIHH", TTY, to, 0, length, 0) + data
        place = self.link.memory.offset(address, 512)
        self.memory[place : place + len(message)] = message
        self.give_back(0, buffer, len(message) if size is None else size)
        self.ring()

    def announce(self, name, address=TTY, flags=CREATE):
        self.send(NAME_SERVICE, struct.pack("<32sII", name, address, flags))

    def close(self):
        self.link.close()
        os.close(self.doorbell)


@pytest.fixture
def device(samples):
    (spec,) = load_board("stm32mp1-m4").processors
    with open(f"{samples}/stm32mp1-m4/rpmsg_echo.elf", "rb") as file:
        device = Device(spec, file.fileno())
    yield device
    device.close()


def test_a_thousand_channels_are_cut_to_a_few_and_told_once(device):
    for number in range(1000):
        device.announce(f"channel-{number}".encode(), number)
    said = device.link.take_remarks()
    assert len(device.link.channels.open) == MOST and len(said) == MOST + 1
    assert said[-1] == "rpmsg: the firmware announces more than 64 channels"
    for _ in range(1000):  # and those that come and go
        device.announce(b"channel-0", 0, DESTROY)
        device.announce(b"channel-0", 0)
    assert device.link.take_remarks() == []


def test_the_name_of_a_channel_is_made_printable(device):
    device.announce(b"\x1b[2J" + b"\xff" * 28)
    (said,) = device.link.take_remarks()
    assert said.isprintable() and said.endswith(" addr 0x401")


def test_a_channel_that_is_destroyed_takes_no_input_and_may_come_again(device):
    device.announce(b"rpmsg-tty")
    device.announce(b"rpmsg-tty")  # it exists
    assert len(device.link.channels.open) == 1
    device.announce(b"rpmsg-tty", flags=DESTROY)
    assert device.link.write(b"x") == 0
    device.announce(b"rpmsg-tty")
    assert device.link.write(b"x") == 1


def test_firmware_that_never_acknowledges_gets_what_its_queue_holds(device):
    assert device.link.write(b"early") == 0
    device.announce(b"rpmsg-tty")
    assert device.link.write(b"x" * 100_000) == 16 * 496
    for _ in range(10_000):
        assert device.link.write(b"more") == 0
    for number in range(3):
        device.give_back(1, device.available(1, number), 0)
    assert device.link.write(b"x" * 100_000) == 3 * 496


@pytest.mark.parametrize(
    ("buffer", "size", "steps", "says"),
    [
        (0, 16, 17, "used 17 buffers at once, when it had 16"),
        (0, 16, 0xFFFF, "used 65535 buffers at once, when it had 16"),
        (16, 16, 1, "returned buffer 16, which it did not have"),
        (0xFFFFFFFF, 16, 1, "returned buffer 4294967295, which it did not have"),
        (0, 513, 1, "wrote 513 bytes into a buffer of 512"),
        (0, 0xFFFFFFFF, 1, "wrote 4294967295 bytes into a buffer of 512"),
    ],
)
def test_broken_rings_are_told_once_and_then_left_alone(device, buffer, size, steps, says):
    device.announce(b"rpmsg-tty")
    device.give_back(0, 1, 16)
    device.ring()
    at = device.at(0) + device.rings[0].used + 4
    device.memory[at : at + 128] = struct.pack("<II", 0, 16) * 16
    device.give_back(0, buffer, size, steps)
    device.link.take_remarks()
    device.ring()
    said = f"rpmsg is off, since the firmware broke the rings: it {says}"
    assert device.link.take_remarks() == [said]
    assert device.ring() == b"" and device.link.take_remarks() == []
    assert device.link.write(b"dropped") == 7


def test_a_buffer_that_comes_back_twice_is_given_out_once(device):
    device.announce(b"rpmsg-tty")
    assert device.link.write(b"x" * 1000) == 1000
    for _ in range(2):
        device.give_back(1, 0, 0)
    device.ring()
    (_, said) = device.link.take_remarks()
    assert said.endswith("it returned buffer 0, which it did not have")


@pytest.mark.parametrize(("length", "size"), [(65535, 512), (497, 512), (10, 20), (0, 3), (0, 0)])
def test_a_message_that_lies_of_its_length_is_dropped(device, length, size):
    device.announce(b"rpmsg-tty")
    device.send(0x400, b"data", length=length, size=size)
    assert device.link.read() == b""
    device.send(0x400, b"data")
    device.send(0x7FFF, b"for nobody")
    device.send(NAME_SERVICE, b"too short")
    assert device.link.read() == b"data"


def test_output_that_nobody_reads_is_bounded(device):
    device.announce(b"rpmsg-tty")
    for number in range(2500):
        device.send(0x400, f"{number:496}".encode())
    kept = device.link.read()
    assert len(kept) == KEPT and kept.endswith(b"2499")


def test_what_is_scribbled_over_linux_own_parts_is_never_read(device):
    device.announce(b"rpmsg-tty")
    for queue in (0, 1):  # descriptors and the available ring
        at, size = device.at(queue), device.rings[queue].used
        device.memory[at : at + size] = b"\xff" * size
    for word in (b"one", b"two"):
        assert device.link.write(word) == 3
    ring = device.at(1)
    assert struct.unpack_from("<QIHH", device.memory, ring) == (0x10042000 + 16 * 512, 19, 0, 0)


def test_random_bytes_in_all_that_is_shared_do_no_harm(samples):
    chance = random.Random(1)
    (spec,) = load_board("stm32mp1-m4").processors
    for _ in range(100):
        with open(f"{samples}/stm32mp1-m4/rpmsg_echo.elf", "rb") as file:
            device = Device(spec, file.fileno())
        device.announce(b"rpmsg-tty")
        for _ in range(100):
            queue = chance.choice((0, 1))
            at = device.at(queue) + chance.randrange(device.rings[queue].size)
            device.memory[at] = chance.choice((0, 1, 2, 3, 255))
            device.ring()
            assert device.link.write(b"word") in (0, 4)
        assert len(device.link.take_remarks()) <= 3
        device.close()


def test_qemu_cannot_make_the_memory_smaller(device):
    with pytest.raises(PermissionError):
        os.ftruncate(device.link.memory.fd, 0)
