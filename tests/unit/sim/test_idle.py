"""A processor that executes nothing runs until it is stopped, or ends as its board file says."""

from __future__ import annotations

import errno
import os
import time

import pytest

from adapters.sim.board_file import load_board, parse_board
from adapters.sim.loader import to_memfd
from adapters.sim.remoteproc import RemoteProc
from adapters.sim.sim_board import SimBoard
from domain.errors import FirmwareUnfit, ProcessorFault
from domain.processor import CRASHED, OFFLINE, RUNNING, SUSPENDED, FirmwareExit
from tests.elf_builder import EM_RISCV, Load, carveout, devmem, elf, resource_table, trace
from tests.unit.sim.helpers import ended, follow, run

QUIET = (b"", OFFLINE)


@pytest.fixture
def idle(opened, tmp_path):
    """Open a processor that executes nothing, with further keys for it in YAML."""

    def idle(**keys):
        entry = ", ".join(f"{key}: {value}" for key, value in {"core": "none", **keys}.items())
        text = f"processors:\n  - {{name: idle, {entry}}}\n"
        return opened(SimBoard(parse_board(text, "/idle.yaml"), str(tmp_path / "run")))

    return idle


@pytest.fixture
def file(image, tmp_path):
    """Write firmware; return its image."""

    def file(content):
        path = tmp_path / "firmware.elf"
        path.write_bytes(content)
        return image(path)

    return file


@pytest.fixture
def firmware(file):
    return file(elf())


def test_a_life_needs_no_program_and_no_descriptor(idle, firmware, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    processor = idle()
    claim = run(processor, firmware)
    descriptors = set(os.listdir("/proc/self/fd"))
    assert (processor.state(), processor.poll_seconds) == (RUNNING, None)
    assert (processor.watch(), processor.console.read_output()) == ((), b"")
    assert set(os.listdir("/proc/self/fd")) <= descriptors
    processor.stop()
    assert processor.state() == OFFLINE
    processor.release(claim)
    assert not (tmp_path / "run").exists()


def test_a_start_is_over_at_once(idle, firmware):
    processor = idle()
    began = time.monotonic()
    for _ in range(20):
        processor.release(run(processor, firmware))
    assert time.monotonic() - began < 1


def test_all_shipped_ones_run_at_a_time(make_board, opened, firmware):
    board = make_board("idle")
    for number in range(4):
        run(opened(board, device=f"remoteproc{number}"), firmware)
    listed = [(info.name, info.state, info.note) for info in board.processors()]
    assert listed == [
        (f"idle-{number}", RUNNING, "simulated: executes nothing") for number in range(4)
    ]


def test_pause_and_resume(idle, firmware):
    processor = idle()
    run(processor, firmware)
    processor.freezer.pause()
    assert processor.state() == SUSPENDED
    processor.freezer.resume()
    assert processor.state() == RUNNING
    processor.freezer.pause()
    processor.stop()
    assert processor.state() == OFFLINE


# --- firmware -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        elf(),
        elf(machine=EM_RISCV),
        elf(bits=64, machine=EM_RISCV),
        elf(segments=[Load(0xFFFF_0000, bytes(8))]),
        elf(table=resource_table(carveout(0xFFFF_FFFF, 1 << 30, "big"))),
        elf(table=resource_table(trace(0x2000_0000, 4096, "log"))),
    ],
)
def test_code_for_any_core_at_any_address_fits(idle, file, content):
    processor, firmware = idle(), file(content)
    processor.check(firmware)
    run(processor, firmware)
    assert (processor.state(), processor.poll_seconds) == (RUNNING, None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"#!/bin/sh\n", "looks like a script"),
        (elf()[:60], "past the end|cut off|outside|too small"),
        (elf(segments=[]), "no program headers"),
        (elf(table=resource_table(devmem(0, 4096, "regs"))), "IOMMU"),
    ],
)
def test_what_the_kernel_would_refuse_is_refused(idle, file, content, says):
    processor, firmware = idle(), file(content)
    with pytest.raises(FirmwareUnfit, match=says):
        processor.check(firmware)
    with pytest.raises(ProcessorFault) as caught:
        run(processor, firmware)
    assert (caught.value.errno, processor.state()) == (errno.EINVAL, OFFLINE)


def test_memory_is_checked_where_the_board_file_has_it(idle, file):
    processor = idle(memory="[{name: code, address: 0, size: 4K}]")
    processor.check(file(elf(segments=[Load(0, bytes(8))])))
    with pytest.raises(FirmwareUnfit, match="not inside"):
        processor.check(file(elf(segments=[Load(0x1000, bytes(8))])))
    with pytest.raises(FirmwareUnfit, match="carveout"):
        processor.check(file(elf(table=resource_table(carveout(0, 1 << 20, "big")))))


# --- faults ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3, 255])
def test_it_ends_by_itself_with_the_exit_code_asked_for(idle, firmware, code):
    processor = idle(faults=f"{{end-after: 0.3, exit-code: {code}}}")
    run(processor, firmware)
    assert processor.state() == RUNNING
    assert follow(processor, ended) == QUIET
    assert processor.firmware_exit() == FirmwareExit(False, code, f"exit code {code}")


def test_the_firmware_of_any_core_ends_by_itself_on_request(opened, image):
    processor = opened(extra="faults: {end-after: 0.3, exit-code: 3}")
    run(processor, image("echo"))
    output, state = follow(processor, ended)
    assert (b"> " in output, state) == (True, OFFLINE)
    assert processor.firmware_exit() == FirmwareExit(False, 3, "exit code 3")


def test_it_crashes_on_request(idle, firmware):
    processor = idle(faults="{crash-after: 0.05, end-after: 60}")
    claim = run(processor, firmware)
    assert follow(processor, ended) == (b"", CRASHED)
    assert processor.firmware_exit().crashed
    processor.release(claim)
    assert processor.state() == OFFLINE


@pytest.mark.parametrize("step", ["start", "stop"])
def test_it_refuses_on_request(idle, firmware, step):
    processor = idle(faults=f"{{{step}-error: EBUSY}}")
    with pytest.raises(ProcessorFault, match=rf"cannot {step} processor idle: .* \(EBUSY\)"):
        run(processor, firmware)
        processor.stop()
    assert processor.state() == (OFFLINE if step == "start" else RUNNING)


def test_it_recovers_as_any_other_and_its_time_counts_anew(firmware):
    spec = load_board("idle").processors[0]
    spec = spec._replace(faults=spec.faults._replace(end_after=60.0))
    rproc = RemoteProc(spec, lambda _: to_memfd([elf()]))
    rproc.write_state("start")
    first = rproc._end_at
    rproc.crash("watchdog, injected")
    assert (rproc.state, rproc.crashes, rproc.power) == (RUNNING, 1, 1)
    assert rproc._end_at > first
    rproc.write_recovery("disabled")
    rproc.crash("watchdog, injected")
    assert rproc.state == CRASHED
    rproc.write_recovery("recover")
    assert rproc.state == RUNNING
    rproc.write_state("stop")
    assert rproc.state == OFFLINE
