"""Proves that a guest's processors are the kernel's, and that its faults come when asked for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tests.board.vm import CHECKOUT, BoardError, boot
from tests.elf_builder import FLASH, elf, resource_table, trace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FIRMWARE = elf([FLASH], table=resource_table(trace(0x2000_1000, 64)))


@pytest.fixture(scope="module", params=["qemu", "uml"])
def vm(request):
    with boot(request.param, module="names=m4,m7,dsp detached=0,0,1") as vm:
        with open(os.path.join(vm.scratch, "hello.elf"), "wb") as file:
            file.write(FIRMWARE)
        assert vm.run(["cp", f"{vm.scratch}/hello.elf", "/lib/firmware/"]).status == 0
        yield vm


class Processor:
    """A processor of the guest, by its attributes; device/ has those of our module."""

    def __init__(self, vm, number):
        self.vm = vm
        self.path = f"/sys/class/remoteproc/remoteproc{number}"
        self.debug = f"/sys/kernel/debug/remoteproc/remoteproc{number}"

    def read(self, name):
        status, output = self.vm.run(["cat", f"{self.path}/{name}"])
        assert status == 0, output
        return output.rstrip("\n")

    def write(self, name, value):
        return self.vm.run(f"/bin/echo '{value}' >{self.path}/{name}")  # dash's own hides the errno

    def set(self, name, value):
        status, output = self.write(name, value)
        assert status == 0, output

    def log(self):
        return self.vm.run(["cat", f"{self.debug}/trace0"]).output

    def wait(self, state):
        line = f'while [ "$(cat {self.path}/state)" != {state} ]; do sleep 0.05; done'
        assert self.vm.run(line, timeout=10).status == 0


@pytest.fixture
def m4(vm):
    processor = Processor(vm, 0)
    processor.set("firmware", "hello.elf")
    yield processor
    for attribute in ("start_errno", "stop_errno", "start_delay_ms"):
        processor.set(f"device/{attribute}", 0)
    while processor.read("state") in ("running", "crashed"):
        processor.set("state", "stop")
    processor.set("recovery", "enabled")
    processor.set("coredump", "disabled")


def test_processors_are_those_asked_for(vm):
    """Names and first states are as the module's parameters say."""
    got = [(Processor(vm, n).read("name"), Processor(vm, n).read("state")) for n in range(3)]
    assert got == [("m4", "offline"), ("m7", "offline"), ("dsp", "detached")]
    assert vm.release.startswith("6.1.")


def test_the_doctor_tells_what_the_guest_has(vm):
    done = vm.run(["remoteproc-runtime", "doctor", "--json"], timeout=300)
    rows = {(row["subject"], row["level"], row["text"]) for row in json.loads(done.output)}
    assert {("m4 (remoteproc0)", "ok", "free"), ("m7 (remoteproc1)", "ok", "free")} <= rows
    booted = "the boot loader has started it, and the kernel does not watch it"
    assert ("dsp (remoteproc2)", "warn", booted) in rows
    lacks_device = vm.run(["test", "-c", "/dev/remoteproc0"]).status != 0
    row = ("m4 (remoteproc0)", "warn", "there is no /dev/remoteproc0")
    assert (row in rows) == lacks_device == (vm.kind == "qemu")
    assert ("kernel", "ok", f"Linux {vm.release}") in rows
    assert {("debugfs", "ok", "mounted"), ("kernel log", "ok", "readable")} <= rows
    assert ("firmware", "ok", "published in /lib/firmware") in rows
    assert done.status == 0, done.output


def test_start_and_stop(m4):
    """The kernel loads our ELF and starts; what is no ELF it refuses."""
    m4.set("state", "start")
    assert m4.read("state") == "running"
    m4.set("state", "stop")
    assert m4.read("state") == "offline"
    m4.vm.run("echo no ELF at all, but long enough >/lib/firmware/bad.elf")
    m4.set("firmware", "bad.elf")
    assert "Invalid argument" in m4.write("state", "start").output


def test_trace(m4):
    """Text written for the firmware shows in trace0, and starts over when the buffer is full."""
    m4.set("state", "start")
    assert m4.log() == ""
    m4.set("device/trace", "hello")
    m4.set("device/trace", "world")
    assert m4.log() == "hello\nworld\n"
    m4.set("device/trace", "x" * 60)
    assert m4.log() == "x" * 60 + "\n"
    assert "No space" in m4.write("device/trace", "x" * 64).output
    m4.set("state", "stop")
    assert "No such device" in m4.write("device/trace", "late").output


@pytest.mark.parametrize("type", ["mmufault", "watchdog", "fatal"])
def test_crash(m4, type):
    """A crash leaves the processor crashed where recovery is off, and is in the kernel's log."""
    m4.set("recovery", "disabled")
    m4.set("state", "start")
    m4.set("device/crash", type)
    m4.wait("crashed")
    word = {"fatal": "fatal error"}.get(type, type)
    assert f"crash detected in m4: type {word}" in m4.vm.run("dmesg | tail -n 5").output


def test_crash_recovers(m4):
    """With recovery on, the processor runs again."""
    m4.set("state", "start")
    m4.set("device/crash", "watchdog")
    line = "while ! dmesg | grep -q 'recovering m4'; do sleep 0.05; done"
    assert m4.vm.run(line, timeout=10).status == 0
    m4.wait("running")


def test_coredump(m4):
    """The dump of a crash holds the processor's memory."""
    m4.set("coredump", "enabled")
    m4.set("state", "start")
    m4.set("device/trace", "last words")
    m4.set("device/crash", "fatal")
    data = "/sys/class/devcoredump/devcd*/data"
    assert m4.vm.run(f"while ! ls {data} 2>/dev/null; do sleep 0.05; done", timeout=10).status == 0
    try:
        assert m4.vm.run(f"cat {data} >{m4.vm.scratch}/core").status == 0
    finally:
        m4.vm.run(f"for dump in {data}; do echo 0 >$dump; done")
    with open(f"{m4.vm.scratch}/core", "rb") as file:
        core = file.read()
    assert core.startswith(b"\x7fELF")
    assert b"last words\n" in core


def test_start_error_and_delay(m4):
    """A start fails with the errno that was asked for, after the delay that was asked for."""
    m4.set("device/start_errno", 110)
    m4.set("device/start_delay_ms", 700)
    before = time.monotonic()
    status, output = m4.write("state", "start")
    assert time.monotonic() - before >= 0.7
    assert status != 0
    assert "timed out" in output
    assert m4.read("state") == "offline"


def test_stop_error(m4):
    """A stop that fails leaves the processor running."""
    m4.set("state", "start")
    m4.set("device/stop_errno", 16)
    assert "busy" in m4.write("state", "stop").output
    assert m4.read("state") == "running"


def test_errors_are_checked(m4):
    """What is no errno, no delay and no type of crash is refused."""
    assert "range" in m4.write("device/start_errno", 5000).output
    assert "Invalid argument" in m4.write("device/crash", "boredom").output


def test_attach_and_detach(vm):
    """A processor that a boot loader started can be attached, printed on, detached."""
    dsp = Processor(vm, 2)
    dsp.set("state", "start")
    assert dsp.read("state") == "attached"
    dsp.set("device/trace", "here before you")
    assert dsp.log() == "here before you\n"
    dsp.set("state", "detach")
    assert dsp.read("state") == "detached"


def test_character_device(vm, m4):
    """Where the kernel has it, a processor stops when the last descriptor closes."""
    node = "/dev/remoteproc0"
    if vm.kind == "qemu":
        assert vm.run(["test", "-e", node]).status == 1, "Debian's kernel has it now: test it too"
        return
    program = f"""
        import fcntl, os, signal, struct
        fd = os.open("{node}", os.O_RDWR)
        fcntl.ioctl(fd, 0x4004B701, struct.pack("i", 1))
        os.write(fd, b"start")
        print(open("{m4.path}/state").read(), end="", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = vm.run(["python3", "-c", textwrap.dedent(program)])
    assert done == (-signal.SIGKILL, "running\n")
    m4.wait("offline")


def test_commands(vm):
    """Status, output, input, environment and directory of a command are as asked."""
    assert vm.run("echo out; echo err >&2; exit 7") == (7, "out\nerr\n")
    assert vm.run(["cat"], stdin="x" * 100_000 + "\n") == (0, "x" * 100_000 + "\n")
    assert vm.run("seq 200000").output.endswith("\n199999\n200000\n")
    assert vm.run("echo $A; pwd", env={"A": "ä"}, cwd="/proc").output == "ä\n/proc\n"
    assert vm.run("pwd").output == f"{CHECKOUT}\n"
    assert vm.run(["no-such-program"]).status == 127
    assert vm.run(["test", "-e", f"{CHECKOUT}/tests/board/vm.py"]).status == 0
    assert vm.run(f"touch {CHECKOUT}/x").status != 0, "the checkout must be read-only"


def test_pytest_runs_in_the_guest(vm):
    """The guest has what the project and its tests import, and runs tests of the checkout."""
    test = f"""
        import os
        import click, google.protobuf.message, hypothesis, pytest_bdd, xdist, yaml
        from dependency_injector import containers
        import domain, tests.board

        def test_it():
            assert domain.__path__[0] == "{CHECKOUT}/domain"
            assert os.uname().release == "{vm.release}"
    """
    with open(os.path.join(vm.scratch, "test_inside.py"), "w") as file:
        file.write(textwrap.dedent(test))
    options = ["-c", f"{CHECKOUT}/pyproject.toml", "-q"]
    done = vm.run(["pytest", *options, f"{vm.scratch}/test_inside.py"])
    assert done.status == 0, done.output
    assert "1 passed" in done.output
    # What spawns the interpreter isolated finds the project, too.
    assert vm.run(["python3", "-I", "-c", "import domain, click"], cwd="/").status == 0


def test_late_command_is_killed():
    """A command that takes too long is killed, and the error says where to look."""
    with boot("uml") as vm:
        with pytest.raises(BoardError, match=r"killed sleep 60 after 0\.3 s.*console\.log"):
            vm.run(["sleep", "60"], timeout=0.3)
        assert vm.run("true").status == 0, "the guest lives on"
    assert os.path.exists(vm.console_log)
    shutil.rmtree(os.path.dirname(vm.console_log))


@pytest.mark.parametrize("kind", ["qemu", "uml"])
def test_guest_dies_with_its_launcher(kind, tmp_path):
    """However the launcher ends, no process of the guest is left."""
    marker = tmp_path / "guests"
    program = f"""
        import os, sys
        from tests.board.vm import boot
        with boot({kind!r}) as vm:
            print("booted", flush=True)
            vm.run("sleep 1000", timeout=1000)
    """
    marker.mkdir()
    launcher = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(marker)},
        stdout=subprocess.PIPE,
    )
    assert launcher.stdout
    assert launcher.stdout.readline() == b"booted\n"
    assert _mentioning(marker)
    launcher.kill()
    launcher.wait()
    launcher.stdout.close()
    deadline = time.monotonic() + 10
    while (left := _mentioning(marker)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def _mentioning(path):
    """Processes with the path in their command line or open: all of a guest's have it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read()
            names = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if os.fsencode(path) in words or any(name.startswith(str(path)) for name in names):
            found.append(pid)
    return found
