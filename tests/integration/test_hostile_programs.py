"""Hostile firmware on a simulated processor cannot fill its supervisor's memory, nor make it deaf.

A supervisor has one loop: whatever the firmware does, it hears SIGTERM, and the processor is off
within a second.
"""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from features.backends.processes import WatchedProcess
from tests.integration.oci import Runtime

HERE = os.path.dirname(os.path.abspath(__file__))
FIRMWARE = os.path.realpath(f"{HERE}/../../firmware")
SOURCES = ("print.c", "cortex-m/core.c", "cortex-m/cmsdk.c")
FLAGS = "-mcpu=cortex-m3 -mthumb -std=c11 -Os -ffreestanding -fno-tree-loop-distribute-patterns"
LINKED = f"-nostdlib -static -Wl,-n -T {FIRMWARE}/cortex-m3/link.ld -L {FIRMWARE}"

MIB = 1 << 20
MEMORY = 32 * MIB  # of a supervisor, at most
HEARD_WITHIN = 1.0  # seconds
STEP = 0.01  # seconds
LIVES = 1.5  # seconds for which a program may try

SHORT = {"resets": 139, "faults": 139, "barks": 139, "unknown_calls": 139}
"""What ends by itself, and the status that tells how."""
CODES = {255: "255", 256: "256, which counts as 255", 0xDEADBEEF: "3735928559, which counts as 255"}

PROGRAMS = {
    **dict.fromkeys(("letters", "nuls", "lines", "escapes", "remarks"), ""),
    "rewrites": f"-DTRACE_SIZE={MIB}",
    "clears": f"-DTRACE_SIZE={MIB}",
    "last_byte": f"-DTRACE_SIZE={MIB}",
    "both": f"-DTRACES=16 -DTRACE_SIZE={MIB // 16}",
    **dict.fromkeys(("resets", "faults", "barks", "deaf", "sleeps"), ""),
    **dict.fromkeys(("writes", "commands", "opens", "reads", "unknown_calls"), ""),
    **dict.fromkeys(("peripherals", "interrupts", "code"), ""),
}
ELSEWHERE = {  # trace buffers where there is no memory, or registers
    "sleeps-anywhere": ("sleeps", f"-DTRACES=16 -DTRACE_SIZE={MIB // 16} -DTRACE_AT=(void*)-1"),
    "sleeps-nowhere": ("sleeps", "-DTRACES=16 -DTRACE_SIZE=65536 -DTRACE_AT=(void*)0x90000000"),
    "letters-registers": ("letters", "-DTRACES=16 -DTRACE_SIZE=4096 -DTRACE_AT=(void*)0x40004000"),
}
EXITS = {f"exits-{code}": ("exits", f"-DCODE={code}u") for code in CODES}
ALL = {**{name: (name, flags) for name, flags in PROGRAMS.items()}, **ELSEWHERE, **EXITS}


def build(name, path):
    program, flags = ALL[name]
    flags += "" if "TRACE_AT" in flags else " -DTRACE_AT=memory"
    flags += "" if "CODE" in flags else " -DCODE=0"
    command = f"arm-none-eabi-gcc {FLAGS} -DPROGRAM={program} -I{FIRMWARE} -I{FIRMWARE}/cortex-m3"
    sources = [f"{FIRMWARE}/{source}" for source in SOURCES]
    target = ['-DTARGET="m3"', f"{HERE}/hostile/programs.c", *sources, "-o", path]
    subprocess.run([*command.split(), *flags.split(), *LINKED.split(), *target], check=True)


def peak(pid):
    """Return the most memory that a process has had, in bytes."""
    with open(f"/proc/{pid}/status") as file:
        (line,) = (line for line in file if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def patience():
    """Return how much longer things take here: other programs share the processors."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture
def hostile(tmp_path, firmware):
    runtime = Runtime(tmp_path)
    yield runtime
    runtime.delete()
    assert runtime.left() == []


def begin(runtime, name):
    """Start a program whose output somebody reads; return its supervisor's pid."""
    runtime.bundle()
    build(name, f"{runtime.place}/bundle/rootfs/firmware.elf")
    with open(os.devnull, "wb") as reader:
        runtime.create(stdout=reader, stderr=reader)
    pid = runtime.state()["pid"]
    runtime.run("start", "c1")
    return pid


@pytest.mark.parametrize("name", [name for name in ALL if name not in (*SHORT, *EXITS)])
def test_it_is_stopped_within_a_second_and_its_supervisor_stays_small(hostile, name):
    pid = begin(hostile, name)
    with WatchedProcess(pid) as supervisor:
        assert not supervisor.wait(LIVES), "it has not ended by itself"
        assert peak(pid) < MEMORY
        os.kill(pid, signal.SIGTERM)
        # A moment in which the machine stands still is one step, however long it is.
        steps = next(steps for steps in range(3000) if supervisor.wait(STEP))
    assert steps * STEP < HEARD_WITHIN * patience()
    state = hostile.state()
    assert state["annotations"]["remoteproc.exit-status"] == "0"
    assert "stopped on request" in state["annotations"]["remoteproc.exit-reason"]


def ended(hostile, name):
    """Run a program that ends by itself; return what is reported."""
    pid = begin(hostile, name)
    with contextlib.suppress(ProcessLookupError), WatchedProcess(pid) as supervisor:
        assert supervisor.wait(20)
    return hostile.state()["annotations"]


@pytest.mark.parametrize("name", SHORT)
def test_it_ends_by_itself_and_is_reported(hostile, name):
    assert int(ended(hostile, name)["remoteproc.exit-status"]) == SHORT[name]


@pytest.mark.parametrize("code", CODES)
def test_an_exit_code_that_no_status_can_hold_is_not_cut_to_another(hostile, code):
    reported = ended(hostile, f"exits-{code}")
    assert reported["remoteproc.exit-status"] == "255"
    assert reported["remoteproc.exit-reason"].endswith(f"exit code {CODES[code]}")


def test_no_line_of_firmware_passes_for_one_of_the_runtime(hostile):
    begin(hostile, "remarks")
    hostile.until("crashed")
    shown = hostile.run("logs", "c1")
    assert "remoteproc-runtime: m3-0: crashed" in shown.stdout
    assert shown.stderr == ""
    assert not os.path.exists("/tmp/remoteproc-hostile")


def test_firmware_of_the_largest_size_is_not_held_in_memory(hostile):
    """64 MiB is the most that is taken."""
    hostile.bundle()
    path = f"{hostile.place}/bundle/rootfs/firmware.elf"
    with open(path, "r+b") as file:
        file.truncate(64 * MIB)
    pid = hostile.start()
    assert peak(pid) < MEMORY


BOMBS = {
    "traces": ("sleeps", "-DTRACES=1024 -DTRACE_SIZE=1024", "more than 16"),
    "trace": ("sleeps", f"-DTRACE_SIZE={MIB + 1}", "over 1 MiB"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_with_a_sentence(hostile, name, monkeypatch):
    program, flags, says = BOMBS[name]
    monkeypatch.setitem(ALL, name, (program, flags))
    hostile.bundle()
    build(name, f"{hostile.place}/bundle/rootfs/firmware.elf")
    begun = time.monotonic()
    ran = hostile.create(check=False)
    assert ran.returncode == 1 and says in ran.stderr and len(ran.stderr.splitlines()) == 1
    assert time.monotonic() - begun < 2 * patience()
