"""A simulated processor refuses, fails, pauses and is shared as its port says."""

import errno
import json
import os
import resource
import select
import signal
import subprocess
import sys

import pytest

from adapters.sim.board_file import BoardSpec, load_board
from adapters.sim.loader import copy_of
from adapters.sim.sim_board import SimBoard
from domain.annotations import ProcessorOptions
from domain.errors import FirmwareUnfit, HostFault, NotFound, ProcessorFault
from domain.firmware import FirmwareImage
from domain.processor import OFFLINE, RUNNING, SUSPENDED
from tests.elf_builder import Load, carveout, devmem, elf, resource_table
from tests.sandbox import in_child
from tests.unit.sim.helpers import alive, follow, run


def left_over(tmp_path):
    return sorted(str(p.relative_to(tmp_path)) for p in (tmp_path / "run").rglob("*"))


def test_a_life_leaves_nothing(make_board, opened, image, tmp_path):
    board = make_board()
    processor = opened(board)
    descriptors = set(os.listdir("/proc/self/fd"))
    assert processor.state() == OFFLINE
    claim = run(processor, image("hello"))
    pid = processor._rproc.execution.pid
    assert (processor.state(), alive(pid)) == (RUNNING, True)
    assert [(p.name, p.state, p.firmware) for p in board.processors()] == [
        ("m3", "running", "hello.elf")
    ]
    processor.stop()
    assert (processor.state(), alive(pid)) == (OFFLINE, False)
    processor.release(claim)
    processor.release(claim)
    assert not (tmp_path / "run").exists()
    assert len(set(os.listdir("/proc/self/fd")) - descriptors) <= 1  # the one that says "news"
    assert [(p.state, p.firmware) for p in board.processors()] == [("offline", "rproc-m3-fw")]


def test_release_stops_what_runs(opened, image, tmp_path):
    processor = opened()
    claim = run(processor, image("spin"))
    pid = processor._rproc.execution.pid
    processor.release({"container": "another", "firmware": "x"})
    assert processor.state() == RUNNING
    processor.release(claim)
    assert not alive(pid)
    assert not (tmp_path / "run").exists()


def test_unknown_devices_are_not_found(make_board):
    with pytest.raises(NotFound, match=r"no processor remoteproc1; it has remoteproc0 \(m3\)"):
        make_board().open("remoteproc1", ProcessorOptions())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"#!/bin/sh\n", "looks like a script"),
        (elf(machine=243), "RISC-V code, but cortex-m3 executes 32-bit ARM"),
        (elf(bits=64), "64-bit"),
        (elf(segments=[Load(0x1000_0000, bytes(8))]), "0x10000000-0x10000008, which is not inside"),
        (elf(segments=[Load(0x3F_FFFC, bytes(8))]), "not inside"),
        (elf(segments=[]), "no program headers"),
        (elf(table=resource_table(devmem(0, 4096, "regs"))), "IOMMU"),
        (elf(table=resource_table(carveout(0xFFFF_FFFF, 1 << 30, "big"))), "carveout"),
    ],
)
def test_what_the_kernel_would_refuse_is_refused_before_anything_changes(
    opened, image, tmp_path, content, says
):
    path = tmp_path / "bad.elf"
    path.write_bytes(content)
    processor = opened()
    with pytest.raises(FirmwareUnfit, match=says):
        processor.check(image(path))
    processor.load({"container": "c1", "firmware": "bad.elf"}, image(path))
    with pytest.raises(ProcessorFault, match="cannot start processor m3: ") as caught:
        processor.start()
    assert caught.value.errno == (errno.ENOMEM if "carveout" in says else errno.EINVAL)
    assert processor.state() == OFFLINE
    assert processor._rproc.execution is None


def test_firmware_that_limits_keep_from_memory_is_a_fault_of_the_host(opened, tmp_path):
    """The supervisor goes on after such a fault, so that the start can be tried again."""
    path = tmp_path / "firmware.elf"
    path.write_bytes(bytes(4096))
    os.truncate(path, 1 << 33)
    firmware, processor = FirmwareImage("firmware.elf", 1 << 33, "", str(path)), opened()

    def attempt(limit, most, work):
        def limited():
            resource.setrlimit(limit, (most, most))
            with pytest.raises(HostFault) as caught:
                work(firmware)
            return caught.value.errno

        return in_child(limited)

    assert attempt(resource.RLIMIT_AS, 1 << 32, processor.check) == errno.ENOMEM
    assert attempt(resource.RLIMIT_FSIZE, 1000, copy_of) == errno.EFBIG


def test_firmware_for_another_profile_is_refused(opened, image):
    with pytest.raises(FirmwareUnfit, match=r"v8-M mainline.*cortex-m3 is Arm v7-M"):
        opened().check(image("hello", "cortex-m33"))


def test_injected_start_error(opened, image):
    processor = opened(extra="faults: {start-error: ETIMEDOUT, start-delay: 0.05}")
    with pytest.raises(ProcessorFault, match=r"start processor m3: .* \(ETIMEDOUT\)") as caught:
        run(processor, image("hello"))
    assert caught.value.errno == errno.ETIMEDOUT
    assert processor.state() == OFFLINE


def test_injected_stop_error_leaves_it_running(opened, image):
    processor = opened(extra="faults: {stop-error: EBUSY}")
    claim = run(processor, image("hello"))
    for stop in (processor.stop, lambda: processor.release(claim)):
        with pytest.raises(ProcessorFault, match=r"cannot stop processor m3: .* \(EBUSY\)"):
            stop()
        assert processor.state() == RUNNING


def test_pause_and_resume(opened, image):
    processor = opened()
    run(processor, image("hello"))
    follow(processor, lambda output, _: b"tick 1" in output)
    processor.freezer.pause()
    processor.console.read_output()
    assert processor.state() == SUSPENDED
    with pytest.raises(AssertionError, match="nothing after"):
        follow(processor, lambda output, _: b"tick" in output, seconds=0.5)
    processor.freezer.resume()
    assert processor.state() == RUNNING
    follow(processor, lambda output, _: b"tick" in output)
    processor.freezer.pause()
    processor.stop()
    assert processor.state() == OFFLINE


def test_a_simulator_that_hangs_is_reported_and_still_ended(opened, image, monkeypatch):
    processor = opened()
    claim = run(processor, image("hello"))
    monkeypatch.setattr("adapters.sim.qemu._REPLY_TIMEOUT", 0.3)
    pid = processor._rproc.execution.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(HostFault, match="does not answer"):
        processor.freezer.pause()
    assert processor.state() == RUNNING
    processor.release(claim)
    assert not alive(pid)


def test_stop_of_what_has_just_ended_is_no_error(opened, image):
    processor = opened()
    run(processor, image("exit"))
    # Nobody has looked: it counts as running. (Threads of a zombie may live on for a moment.)
    execution = processor._rproc.execution
    if execution.pid > 0:  # it has not ended as early as during the start
        assert select.select([execution._pidfd], [], [], 10)[0]
    processor.stop()
    assert processor.state() == OFFLINE
    assert processor.firmware_exit().status == 7


def test_a_second_start_is_refused(opened, image):
    processor = opened()
    run(processor, image("hello"))
    with pytest.raises(ProcessorFault, match=r"\(EBUSY\)"):
        processor.start()
    processor.stop()
    assert processor.state() == OFFLINE


def test_qemu_missing_says_what_to_install(opened, image, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    processor = opened()
    with pytest.raises(HostFault, match="qemu-system-arm is not installed; install QEMU") as caught:
        run(processor, image("hello"))
    assert not isinstance(caught.value, ProcessorFault)
    assert processor.state() == OFFLINE


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("options: [-nonsense]", "QEMU cannot simulate m3: -nonsense: invalid option"),
        ("options: [-machine, mps9]", "unsupported machine type"),
    ],
)
def test_an_error_of_qemu_is_in_the_message(opened, image, extra, says):
    processor = opened(extra=extra)
    with pytest.raises(HostFault, match=says):
        run(processor, image("hello"))
    assert processor.state() == OFFLINE


@pytest.mark.parametrize(
    ("number", "says"),
    [(signal.SIGKILL, "it was killed; try again"), (signal.SIGSTOP, "does not answer within 2 s")],
)
def test_what_befalls_qemu_is_no_mistake_of_the_board_file(
    opened, image, monkeypatch, number, says
):
    monkeypatch.setattr("adapters.sim.qemu._REPLY_TIMEOUT", 2)
    monkeypatch.setattr(
        "adapters.sim.qemu.FileRemoval.prepare", lambda _, pid: os.kill(pid, number)
    )
    with pytest.raises(HostFault, match=says) as caught:
        run(opened(), image("hello"))
    assert "board file" not in str(caught.value)


OTHER = """
import json, sys
from adapters.sim.processor import open_processor
from tests.firmware_images import image_of
processor = open_processor(json.loads(sys.argv[1]))
image = image_of(sys.argv[2])
claim = processor.plan_claim("other", image)
processor.load(claim, image)
processor.start()
print(processor._rproc.execution.pid, flush=True)
sys.stdin.read()
processor.release(claim)
"""


@pytest.fixture
def elsewhere(make_board, image):
    """A processor that another process runs: that process, the board, QEMU's pid."""
    board = make_board()
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            OTHER,
            json.dumps(board.open_args("remoteproc0", ProcessorOptions())),
            image("hello").path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout
        yield other, board, int(other.stdout.readline())
        other.kill()


def test_a_processor_that_another_process_runs(elsewhere, opened, image, tmp_path):
    other, board, pid = elsewhere
    processor = opened(board)
    assert board.processors()[0].state == "running"
    assert board.processors()[0].firmware == "hello.elf"
    assert processor.state() == RUNNING
    claim = processor.plan_claim("mine", image("hello"))
    for refused in (lambda: processor.load(claim, image("hello")), processor.start, processor.stop):
        with pytest.raises(ProcessorFault, match=r"\(EBUSY\)"):
            refused()
    processor.release(claim)
    assert processor.state() == RUNNING
    assert alive(pid)
    other.communicate("")
    assert (processor.state(), alive(pid)) == (OFFLINE, False)
    assert not (tmp_path / "run").exists()


def test_a_dead_owner_is_cleaned_up_after(elsewhere, opened, tmp_path):
    other, board, _ = elsewhere
    processor = opened(board)
    other.kill()
    other.wait()
    assert processor.state() == OFFLINE
    assert board.processors()[0].state == "offline"
    assert left_over(tmp_path)
    processor.release({"container": "other", "firmware": "hello.elf"})
    assert not (tmp_path / "run").exists()


def test_ten_processors_at_once(opened, image, tmp_path):
    m3 = load_board("cortex-m3").processors[0]
    spec = BoardSpec("ten", "/ten.yaml", [m3._replace(name=f"m3-{i}") for i in range(10)])
    board = SimBoard(spec, str(tmp_path / "run"))
    processors = [opened(board, device=f"remoteproc{i}") for i in range(10)]
    claims = [run(processor, image("hello")) for processor in processors]
    for processor in processors:
        follow(processor, lambda output, _: b"tick 2" in output)
    assert [info.state for info in board.processors()] == ["running"] * 10
    for processor, claim in zip(processors, claims, strict=True):
        processor.release(claim)
    assert not (tmp_path / "run").exists()
