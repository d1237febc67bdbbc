"""The contract of domain.ports.Board and Processor, over every adapter of them."""

from __future__ import annotations

import contextlib
import errno
import json
import re
import select
import time
from itertools import pairwise
from pathlib import Path

import pytest

from domain.annotations import ProcessorOptions
from domain.errors import FirmwareUnfit, NotFound, ProcessorFault
from domain.firmware import FirmwareImage
from domain.processor import RUNNING
from tests.contract.backend_fixture import die, walk
from tests.contract.backends import BACKENDS, available

STEPS = ["plan_claim", "load", "start", "stop"]
PATIENCE = 10.0


@pytest.fixture(params=available())
def backend(request, tmp_path):
    request.node.user_properties.append(("backend", request.param))  # counted in the summary
    made = BACKENDS[request.param](tmp_path)
    try:
        before = made.snapshot()
        yield made
        assert made.snapshot() == before, "the test left the board as it was"
    finally:
        made.close()


@pytest.fixture
def run(backend):
    """Return a function that starts a program; its processor is released after the test."""
    with contextlib.ExitStack() as stack:

        def start(program, up_to="start", number=0):
            processor = backend.open(number, program)
            claim: dict[str, str] = {}
            stack.callback(lambda: claim and processor.release(claim))
            claim.update(walk(processor, backend.image(program), up_to))
            return processor, claim

        yield start


def until(processor, condition):
    """Read output and state as a supervisor does, until `condition` is true; return the output.

    Sleeps as `watch` and `poll_seconds` allow: a change that neither announces is missed.
    """
    deadline = time.monotonic() + PATIENCE
    output = b""
    while True:
        output += processor.console.read_output()
        if condition(output, processor.state()):
            return output
        left = deadline - time.monotonic()
        assert left > 0, f"{processor.state()}, printed {output!r}"
        periods = (processor.poll_seconds, processor.console.poll_seconds)
        seconds = min([left, *(period for period in periods if period is not None)])
        select.select(processor.watch(), [], [], seconds)


def printed(backend, text):
    """Return the condition that the text is printed, or that the processor runs without output."""
    if backend.no_output:
        return lambda output, state: not output and state == RUNNING
    return lambda output, _: text in output


def ended(_, state):
    return state.ended


# --- the board ------------------------------------------------------------------------------


def test_what_there_is(backend):
    infos = backend.board.processors()
    assert len(infos) >= 2
    assert len({info.device for info in infos}) == len(infos)
    for info in infos:
        assert re.fullmatch(r"remoteproc[0-9]+", info.device)
        assert info.name
        assert info.state.startable


def test_opening_what_there_is(backend):
    for info in backend.board.processors():
        processor = backend.board.open(info.device, ProcessorOptions())
        assert (processor.name, processor.device) == (info.name, info.device)
        assert processor.state() == info.state


def test_open_args_in_json_open_the_same(backend):
    for number, info in enumerate(backend.board.processors()):
        processor = backend.open(number)
        assert (processor.name, processor.device) == (info.name, info.device)


@pytest.mark.parametrize("device", ["remoteproc99", "", "m4", "../remoteproc0"])
def test_what_there_is_not(backend, device):
    with pytest.raises(NotFound):
        backend.board.open(device, ProcessorOptions())
    with pytest.raises(NotFound):
        backend.board.open_args(device, ProcessorOptions())


# --- one life -------------------------------------------------------------------------------


def test_checking_and_planning_change_nothing(backend):
    before = backend.snapshot()
    processor, image = backend.open(), backend.image("hello")
    processor.check(image)
    claim = processor.plan_claim("c1", image)
    assert backend.snapshot() == before
    assert claim
    assert json.loads(json.dumps(dict(claim))) == dict(claim)
    assert all(isinstance(value, str) for value in claim.values())


def test_firmware_that_is_none_is_refused_before_anything_is_done(backend, tmp_path):
    path = tmp_path / "text.elf"
    path.write_text("this is no firmware\n")
    image = FirmwareImage("text.elf", 20, "sha256:0", str(path))
    with pytest.raises(FirmwareUnfit, match=r"text\.elf"):
        backend.open().check(image)


@pytest.mark.parametrize("bit", [0, 4001])
def test_a_copy_in_which_one_bit_has_changed_does_not_run(backend, tmp_path, bit):
    good = backend.image("hello")
    changed = bytearray(Path(good.path).read_bytes())
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    path = tmp_path / "changed.elf"
    path.write_bytes(changed)
    image, processor = good._replace(path=str(path)), backend.open()
    claim = processor.plan_claim("c1", image)
    with pytest.raises(FirmwareUnfit, match=rf"the copy of {good.name} at .* was changed"):
        processor.load(claim, image)
    processor.release(claim)
    assert backend.open().state().startable
    processor.release(walk(processor, good, "start"))


def test_a_life(backend, run):
    processor, claim = run("hello")
    assert processor.state() == RUNNING, "start returns when it runs"
    assert backend.board.processors()[0].state == RUNNING
    assert backend.open().state() == RUNNING, "others see it, too"
    until(processor, printed(backend, b"hello"))
    processor.stop()
    assert processor.state().startable, "stop returns when it is off"
    processor.release(claim)
    assert backend.open().state().startable


def test_which_processors_are_available(backend, run):
    """One that is off, loaded or not, for each process that opens it."""
    processor = backend.open()
    assert processor.available()
    image = backend.image("hello")
    claim = processor.plan_claim("c1", image)
    processor.load(claim, image)
    assert processor.available()
    processor.release(claim)
    running, claim = run("hello")
    assert not running.available() and not backend.open().available()
    running.stop()
    assert running.available()
    running.release(claim)
    assert running.available() and backend.open().available()


def test_start_and_stop_again_and_again(backend, run):
    for _ in range(2):
        processor, claim = run("hello")
        until(processor, printed(backend, b"hello"))
        processor.release(claim)
        assert processor.state().startable
    for _ in range(2):
        walk(processor, backend.image("hello"), "start")
        until(processor, printed(backend, b"hello"))
        processor.stop()
    processor.release(claim)


def test_processors_are_independent(backend, run):
    first, _ = run("hello")
    second, claim = run("hello", number=1)
    second.release(claim)
    assert second.state().startable
    assert first.state() == RUNNING
    until(first, printed(backend, b"hello"))


def test_a_processor_that_is_off_cannot_be_stopped(backend):
    with pytest.raises(ProcessorFault):
        backend.open().stop()


# --- release --------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_release_is_right_at_any_point_and_any_number_of_times(backend, run, step):
    before = backend.snapshot()
    processor, claim = run("hello", up_to=step)
    for _ in range(3):
        processor.release(claim)
        assert backend.snapshot() == before


@pytest.mark.parametrize("program", ["exit", "crash"])
def test_release_after_an_end(backend, run, program):
    processor, claim = run(program)
    until(processor, ended)
    assert processor.available() == (program == "exit"), "a crash may still be looked into"
    processor.release(claim)
    processor.release(claim)
    assert backend.open().state().startable, "a crashed processor is off after its release"


def test_release_of_a_claim_that_does_not_run_leaves_the_other_alone(backend, run):
    other = backend.open().plan_claim("c2", backend.image("echo"))
    processor, _ = run("hello")
    for releaser in (processor, backend.open()):
        releaser.release(other)
        assert processor.state() == RUNNING
    until(processor, printed(backend, b"hello"))


@pytest.mark.parametrize("step", STEPS)
def test_release_on_behalf_of_a_dead_owner(backend, run, step):
    before = backend.snapshot()
    claim = backend.dead_owner("hello", step)
    processor = backend.open()
    for _ in range(2):
        processor.release(claim)
        assert backend.open().state().startable
        assert backend.snapshot() == before
    successor, _ = run("hello")
    until(successor, printed(backend, b"hello"))


# --- others ---------------------------------------------------------------------------------


def test_what_runs_is_not_loaded_over(backend, run):
    processor, _ = run("hello")
    rival = backend.open()
    image = backend.image("echo")
    claim = rival.plan_claim("c2", image)
    with pytest.raises(ProcessorFault) as refused:
        rival.load(claim, image)
    assert refused.value.errno == errno.EBUSY
    with pytest.raises(ProcessorFault):
        rival.start()
    rival.release(claim)
    assert processor.state() == RUNNING
    until(processor, printed(backend, b"hello"))


# --- exits ----------------------------------------------------------------------------------


def test_firmware_that_ends(backend, run):
    processor, _ = run("exit")
    until(processor, ended)
    exit_ = processor.firmware_exit()
    assert not exit_.crashed
    if backend.no_status:
        assert exit_.status is None
    else:
        assert (exit_.status, exit_.reason) == (7, "exit code 7")


def test_firmware_that_crashes(backend, run):
    processor, _ = run("crash")
    until(processor, ended)
    exit_ = processor.firmware_exit()
    assert exit_.crashed
    assert exit_.status is None


@pytest.mark.parametrize("program", ["exit", "crash"])
def test_the_last_words_are_heard(backend, run, program):
    processor, claim = run(program)
    output = until(processor, ended)
    while data := processor.console.read_output():
        output += data
    words = b"crash" if program == "crash" else b"exit"
    if backend.no_output:
        assert output == b""
    elif program == "crash" or not backend.no_last_words:
        assert words in output
    assert output.count(words) <= 1
    processor.release(claim)


# --- input and output -----------------------------------------------------------------------


@pytest.mark.parametrize("program", ["hello", "spin"])
def test_reading_never_waits(backend, run, program):
    assert backend.open().console.read_output() == b""
    processor, _ = run(program)
    moments = [time.monotonic()]
    for _ in range(20):
        processor.console.read_output()
        moments.append(time.monotonic())
    # The middle one of all times: the machine may stand still during one of them.
    assert sorted(b - a for a, b in pairwise(moments))[10] < 0.05


def test_nothing_is_read_twice(backend, run):
    processor, _ = run("hello")
    output = until(processor, printed(backend, b"hello"))
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        output += processor.console.read_output()
        time.sleep(0.02)
    assert output.count(b"hello from") == (0 if backend.no_output else 1)


def give(processor, data):
    """Write input as a supervisor does; return what was printed meanwhile."""
    output = b""
    deadline = time.monotonic() + PATIENCE
    while data:
        taken = processor.console.write_input(data)
        assert 0 <= taken <= len(data)
        data = data[taken:]
        output += processor.console.read_output()
        assert time.monotonic() < deadline
    return output


def test_input(backend, run):
    if backend.no_input:
        processor, _ = run("hello")
        output = give(processor, b"nobody reads this\n" * 10_000)
        hello = printed(backend, b"hello")
        until(processor, lambda more, state: hello(output + more, state))
        return
    processor, _ = run("echo")
    until(processor, printed(backend, b"> "))
    output = give(processor, b"hi there\n")
    until(processor, lambda more, _: b"you said: hi there" in output + more)


# --- pausing --------------------------------------------------------------------------------


def test_pause_and_resume(backend, run):
    processor, _ = run("hello")
    until(processor, printed(backend, b"hello"))
    if backend.no_pause:
        assert processor.freezer is None
        assert processor.state() == RUNNING
        return
    processor.freezer.pause()
    assert processor.state() != RUNNING and not processor.state().ended
    processor.console.read_output()
    time.sleep(0.3)
    assert processor.console.read_output() == b"", "what is frozen says nothing"
    processor.freezer.resume()
    assert processor.state() == RUNNING


def test_what_is_paused_can_be_stopped(backend, run):
    processor, claim = run("hello")
    if not backend.no_pause:
        processor.freezer.pause()
    processor.stop()
    assert processor.state().startable
    processor.release(claim)


# --- faults of the driver -------------------------------------------------------------------


def test_a_start_that_fails_tells_the_errno_and_leaves_it_off(backend, tmp_path):
    board = backend.plant("start", "ETIMEDOUT")
    device = board.processors()[0].device
    processor = board.open(device, ProcessorOptions())
    image = backend.image("hello")
    claim = processor.plan_claim("c1", image)
    processor.load(claim, image)
    for _ in range(2):
        with pytest.raises(ProcessorFault) as refused:
            processor.start()
        assert refused.value.errno == errno.ETIMEDOUT
        assert processor.state().startable
    processor.release(claim)
    assert board.open(device, ProcessorOptions()).state().startable
    backend.mend()


def test_a_stop_that_fails_tells_the_errno_and_leaves_it_running(backend):
    """In a process that dies: some processors with this fault can be stopped in no other way."""

    def life():
        board = backend.plant("stop", "EBUSY")
        processor = board.open(board.processors()[0].device, ProcessorOptions())
        claim = walk(processor, backend.image("hello"), "start")
        for _ in range(2):
            with pytest.raises(ProcessorFault) as refused:
                processor.stop()
            assert refused.value.errno == errno.EBUSY
            assert processor.state() == RUNNING
        until(processor, printed(backend, b"hello"))
        return claim

    claim = die(life)
    backend.mend()
    backend.open().release(claim)
    assert backend.open().state().startable
