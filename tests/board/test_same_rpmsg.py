"""Linux' own drivers of rpmsg and the simulator give the same answers about the same firmware.

Linux is the one that has these drivers: User Mode Linux. Its processor executes nothing, so the
module plays the firmware (rpmsg_peer.c). What cannot be asked there: mailboxes, and in which memory
of a processor the queues are.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from adapters.sim.board_file import SHIPPED
from tests.board.vm import CHECKOUT, boot
from tests.simulator import Simulator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.getuid() != 0, reason="the simulator's tree needs root and /dev/fuse"),
]
ASK = "tests/board/rpmsg_answers.py"
FIRMWARE = f"{CHECKOUT}/firmware"

ANY = 0xFFFFFFFF
GOOD = (ANY, 16, 16)  # address, alignment, number of buffers

ALIKE = {"any-address": (GOOD, GOOD), "fixed-address": ((0x20010000, 16, 16), GOOD)}


class Lie(NamedTuple):
    """Two vrings that the simulator refuses; Linux starts the firmware, with or without rpmsg."""

    first: tuple[int, int, int]
    second: tuple[int, int, int]
    linux: str
    reason: str


ELSEWHERE = "Linux has the queue elsewhere, and warns if it is told to"
SPECIFICATION = "VIRTIO forbids it: whether it works depends on the firmware's library"
LATER = "Linux starts firmware that waits for rpmsg for ever"
LIES = {
    "outside": Lie((0x70000000, 16, 16), GOOD, "rpmsg", ELSEWHERE),
    "unaligned": Lie((0x20010008, 16, 16), GOOD, "rpmsg", ELSEWHERE),
    "24-buffers": Lie(GOOD, (ANY, 16, 24), "rpmsg", SPECIFICATION),
    "alignment-24": Lie((ANY, 24, 16), GOOD, "rpmsg", SPECIFICATION),
    "uneven": Lie((ANY, 16, 8), GOOD, "rpmsg", SPECIFICATION),
    "no-buffers": Lie((ANY, 16, 0), GOOD, "no rpmsg", LATER),
    "no-alignment": Lie((ANY, 0, 16), GOOD, "no rpmsg", LATER),
    "huge": Lie((ANY, 16, 1 << 31), GOOD, "no rpmsg", LATER),
    "huge-alignment": Lie((ANY, 1 << 31, 16), GOOD, "ENOMEM", "Linux refuses it, too"),
}


@pytest.fixture
def files(tmp_path):
    """Return the files of all firmware, which differ in their vrings alone."""
    subprocess.run(["make", "-s", "-C", FIRMWARE], check=True)
    with open(f"{FIRMWARE}/build/imx8mp-m7/rpmsg_answer.elf", "rb") as file:
        data = file.read()
    before = struct.pack("<5I5I", *GOOD, 0, 0, *GOOD, 1, 0)
    assert data.count(before) == 1
    found = {}
    for name, (first, second, *_) in {**ALIKE, **LIES}.items():
        changed = struct.pack("<5I5I", *first, 0, 0, *second, 1, 0)
        found[name] = tmp_path / f"{name}.elf"
        found[name].write_bytes(data.replace(before, changed))
    return found


def answers(output: str) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {row.pop("firmware").removesuffix(".elf"): row for row in rows}


def ask_linux(files):
    with boot("uml") as vm:
        for file in files.values():
            shutil.copy(file, vm.scratch)
        names = [f"{vm.scratch}/{name}.elf" for name in files]
        status, output = vm.run(["python3", ASK, "", *names], timeout=120)
    assert status == 0, output
    return answers(output)


def ask_simulator(files):
    with open(f"{SHIPPED}/imx8mp-m7.yaml") as file:
        board = file.read().replace("name: imx-rproc", "name: m4")
    with Simulator(board=board) as simulator:
        command = [sys.executable, ASK, simulator.root, *map(str, files.values())]
        done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0
    return answers(done.stdout)


def test_linux_and_the_simulator_answer_alike_about_rpmsg(files):
    linux, simulator = ask_linux(files), ask_simulator(files)
    assert linux.keys() == simulator.keys() == files.keys()
    for name in ALIKE:
        # Debian's kernels say where firmware is read from; other kernels and the simulator do not.
        linux[name]["log"] = [each for each in linux[name]["log"] if "direct-loading" not in each]
        # The board's device tree reserves this; the module's processor has none.
        simulator[name]["carveouts"].remove(["vdev0buffer", "0x100000"])
        assert linux[name] == simulator[name]
        assert linux[name]["reply"] and linux[name]["tty"].endswith("/tty/ttyRPMSG0")
    for name, lie in LIES.items():
        started = "rpmsg" if linux[name].get("reply") else "no rpmsg"
        assert (linux[name]["start"], started) in [("ok", lie.linux), (lie.linux, "no rpmsg")]
        assert simulator[name]["start"] == "EINVAL", (name, lie.reason)
