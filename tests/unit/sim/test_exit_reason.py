"""Each way in which firmware can end has its own exit status and reason; no output is lost."""

import os
import signal

import pytest

from adapters.sim.exit_reason import error_message, from_qmp_event
from domain.processor import CRASHED, OFFLINE, RUNNING, FirmwareExit
from tests.unit.sim.helpers import alive, ended, follow, run

LOCKUP = "lockup at 0x"


def end_of(processor, image, program, target):
    run(processor, image(program, target))
    output, state = follow(processor, ended)
    return output, state, processor.firmware_exit()


@pytest.mark.parametrize("target", ["cortex-m3", "cortex-m33"])
def test_a_lockup_is_a_crash_with_its_place(opened, image, target):
    output, state, firmware_exit = end_of(opened(target), image, "crash", target)
    assert (output, state) == (b"about to crash\n", CRASHED)
    assert (firmware_exit.crashed, firmware_exit.status) == (True, None)
    assert firmware_exit.reason.startswith(LOCKUP)


def test_a_lockup_after_which_the_simulator_stays_is_a_crash(opened, image):
    """QEMU's user mode, where it emulates the machine, does not let the simulator abort."""
    processor = opened()
    run(processor, image("hello"))
    pid = processor._rproc.execution.pid
    with open(f"/proc/{pid}/fd/2", "wb") as errors:
        errors.write(b"qemu: fatal: Lockup: can't escalate 3 to HardFault\n\nR15=00000abc\n")
    _, state = follow(processor, ended)
    assert state == CRASHED and processor.firmware_exit().reason == f"{LOCKUP}00000abc"
    assert not alive(pid)


@pytest.mark.parametrize("target", ["cortex-m3", "cortex-m33", "riscv32"])
@pytest.mark.parametrize(("program", "code"), [("exit", 7), ("exit0", 0)])
def test_a_semihosting_exit_gives_its_code(opened, image, target, program, code):
    output, state, firmware_exit = end_of(opened(target), image, program, target)
    assert (output, state) == (f"exiting with code {code}\n".encode(), OFFLINE)
    assert firmware_exit == FirmwareExit(False, code, f"exit code {code}")


@pytest.mark.parametrize("target", ["cortex-m3", "cortex-m33", "riscv32"])
def test_a_reset_by_the_firmware_is_a_crash(opened, image, target):
    output, state, firmware_exit = end_of(opened(target), image, "reset", target)
    assert (output, state) == (b"about to reset\n", CRASHED)
    assert firmware_exit == FirmwareExit(True, None, "the firmware reset the processor")


@pytest.mark.parametrize("target", ["cortex-m3", "cortex-m33"])
def test_a_watchdog_is_a_crash(opened, image, target):
    _, state, firmware_exit = end_of(opened(target), image, "watchdog", target)
    assert state == CRASHED
    assert firmware_exit == FirmwareExit(True, None, "watchdog")


def test_firmware_on_riscv_reports_a_crash_to_the_test_device(opened, image):
    output, state, firmware_exit = end_of(opened("riscv32"), image, "crash", "riscv32")
    assert (output, state) == (b"about to crash\n", CRASHED)
    # QEMU 7.2 exits with the code, 10 tells of a panic instead.
    reason = firmware_exit.reason.removesuffix(" with code 139")
    assert (firmware_exit.crashed, reason) == (True, "the firmware gave up")


@pytest.mark.parametrize(
    ("reason", "crashed"),
    [("guest-panic", True), ("guest-reset", True), ("guest-shutdown", False)],
)
def test_qemus_reason_for_a_shutdown_tells_a_crash(reason, crashed):
    found = from_qmp_event("SHUTDOWN", {"guest": True, "reason": reason})
    assert found is not None and found.crashed == crashed


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, "the simulator (QEMU) was killed by signal 9"),
        (signal.SIGTERM, "the simulator (QEMU) was told to quit"),
    ],
)
def test_the_simulators_own_end_is_a_crash(opened, image, number, reason):
    processor = opened()
    run(processor, image("echo"))
    follow(processor, lambda output, _: output == b"> ")
    os.kill(processor._rproc.execution.pid, number)
    assert follow(processor, ended)[1] == CRASHED
    assert processor.firmware_exit() == FirmwareExit(True, None, reason)


def test_a_warning_of_the_simulator_is_no_error():
    said = (
        "qemu-system-arm: -mon chardev=qmp,mode=control: warning: '-mon' is deprecated\n"
        "qemu-system-arm: warning: another\n"
        "qemu-system-arm: unsupported machine type: mps9\n"
    )
    assert error_message(said) == "unsupported machine type: mps9"


def test_an_injected_crash_comes_in_time_and_by_watching_alone(opened, image):
    processor = opened(extra="faults: {crash-after: 0.3}")
    run(processor, image("hello"))
    output, state = follow(processor, ended, seconds=10)
    assert b"hello from cortex-m3" in output
    assert (state, processor.firmware_exit().reason) == (
        CRASHED,
        "fault injected by the board file",
    )


def test_a_spinning_fault_handler_shows_nothing_until_it_is_stopped(opened, image):
    processor = opened()
    run(processor, image("fault_spin"))
    follow(processor, lambda output, _: b"spinning" in output)
    assert processor.state() == RUNNING
    processor.stop()
    assert processor.state() == OFFLINE
    assert not processor.firmware_exit().crashed
    assert processor.firmware_exit().status is None


@pytest.mark.parametrize("program", ["crash", "reset", "exit", "hello"])
def test_it_runs_again_after_any_end(opened, image, program):
    processor = opened()
    claim = run(processor, image(program))
    if program == "hello":
        processor.stop()
    else:
        follow(processor, ended)
    if processor.state() == CRASHED:
        processor.stop()
    processor.release(claim)
    claim = run(processor, image("hello"))
    output, state = follow(processor, lambda output, _: b"tick 1\n" in output)
    assert b"hello from cortex-m3\ntick 1\n" in output
    assert state == RUNNING
    processor.release(claim)
