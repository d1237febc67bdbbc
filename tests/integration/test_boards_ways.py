"""Proves that the runtime copes with the ways of vendors' drivers, on a board that has them."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from tests.integration.oci import SAMPLES, Runtime
from tests.simulator import Simulator
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or not os.path.exists("/dev/fuse"), reason="needs root and /dev/fuse"
)

BOARD = """\
processors:
  - {name: 78000000.r5f, core: none, crashes: logged}
  - {name: m4, core: none}
  - {name: dsp, core: none, boot: detached}
"""
R5F, M4 = "remoteproc0", "remoteproc1"
CRASHED = "78000000.r5f: crashed: its driver has logged it"


class Kernel:
    """The simulated kernel's files."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        with open(f"{self.root}/sys/{path}", "w") as file:
            file.write(text)

    def read(self, device, attribute):
        with open(f"{self.root}/sys/class/remoteproc/{device}/{attribute}") as file:
            return file.read().removesuffix("\n")

    def crash_soon(self):
        self.write(f"kernel/debug/remoteproc-sim/{R5F}/crash_after", "0.3")


@pytest.fixture(scope="module")
def kernel():
    with Simulator(board=BOARD) as simulator:
        shutil.copy(f"{SAMPLES}/hello.elf", f"{simulator.root}/lib/firmware/before.elf")
        yield Kernel(simulator.root)


@pytest.fixture
def runtime(kernel, tmp_path):
    found = Runtime(tmp_path)
    with open(f"{tmp_path}/config.yaml", "w") as file:
        file.write(
            f"tree: {kernel.root}\nrun-directory: run\n"
            "processors: {'*': {annotations: {recovery: [kernel], attached: [replace, borrow]}}}\n"
        )
    yield found
    found.delete()
    for device in (R5F, M4):
        kernel.write(f"kernel/debug/remoteproc-sim/{device}/reset", "1")
        kernel.write(f"kernel/debug/remoteproc-sim/{device}/crash_after", "0")


@pytest.mark.parametrize("recovery", ["container", "kernel"])
def test_a_crash_that_the_driver_only_logs_ends_the_container(kernel, runtime, recovery):
    runtime.bundle(annotations={"remoteproc.name": "78000000.r5f", "remoteproc.recovery": recovery})
    kernel.crash_soon()
    runtime.start()
    wait_until(lambda: runtime.state()["status"] == "stopped", 30)
    assert runtime.state()["annotations"]["remoteproc.exit-status"] == "139"
    assert CRASHED in runtime.run("logs", "c1").stderr
    assert kernel.read(R5F, "state") == "offline"


def boot(kernel):
    """Start firmware as the kernel does at boot."""
    kernel.write(f"class/remoteproc/{M4}/firmware", "before.elf")
    kernel.write(f"class/remoteproc/{M4}/state", "start")


def borrowed(runtime):
    runtime.bundle(annotations={"remoteproc.name": "m4", "remoteproc.attached": "borrow"})
    return runtime.start()


def runs_what_ran_before(kernel):
    return (kernel.read(M4, "state"), kernel.read(M4, "firmware")) == ("running", "before.elf")


def test_a_borrowed_processor_runs_again_what_ran_before(kernel, runtime):
    boot(kernel)
    borrowed(runtime)
    assert "remoteproc-runtime/" in kernel.read(M4, "firmware")
    runtime.run("kill", "c1")
    wait_until(lambda: runtime.state()["status"] == "stopped", 30)
    assert runs_what_ran_before(kernel)
    runtime.delete()
    assert runs_what_ran_before(kernel) and not runtime.left()


def test_a_borrowed_processor_is_given_back_for_an_owner_that_was_killed(kernel, runtime):
    boot(kernel)
    os.kill(borrowed(runtime), signal.SIGKILL)
    wait_until(lambda: runtime.state()["status"] == "stopped", 30)
    runtime.delete()
    assert runs_what_ran_before(kernel) and not runtime.left()


def test_what_cannot_run_again_is_told_and_keeps_nothing(kernel, runtime):
    boot(kernel)
    borrowed(runtime)
    kernel.write(f"kernel/debug/remoteproc-sim/{M4}/start_error", "EIO")
    runtime.run("kill", "c1")
    wait_until(lambda: runtime.state()["status"] == "stopped", 30)
    assert "before.elf, which ran before, does not run again" in runtime.run("logs", "c1").stderr
    kernel.write(f"kernel/debug/remoteproc-sim/{M4}/start_error", "0")
    runtime.delete()
    assert kernel.read(M4, "state") == "offline" and not runtime.left()


def test_what_the_boot_loader_started_cannot_be_borrowed(kernel, runtime):
    runtime.bundle(annotations={"remoteproc.name": "dsp", "remoteproc.attached": "borrow"})
    runtime.create()
    ran = runtime.run("start", "c1", check=False)
    assert ran.returncode == 1 and "processor dsp is detached" in ran.stderr
