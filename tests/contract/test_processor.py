"""The contract of domain.ports.Board and Processor, over every adapter of them."""

from __future__ import annotations

import contextlib
import errno
import json
import re
import select
import time

import pytest

from domain.annotations import ProcessorOptions
from domain.errors import FirmwareUnfit, NotFound, ProcessorFault
from domain.firmware import FirmwareImage
from tests.contract.benches import die, walk
from tests.contract.trees import BENCHES, available

STEPS = ["plan_claim", "load", "start", "stop"]
PATIENCE = 10.0


@pytest.fixture(params=available())
def bench(request, tmp_path):
    request.node.user_properties.append(("bench", request.param))  # counted in the summary
    made = BENCHES[request.param](tmp_path)
    try:
        before = made.snapshot()
        yield made
        assert made.snapshot() == before, "the test left the board as it was"
    finally:
        made.close()


@pytest.fixture
def run(bench):
    """Start a program on a processor; it is released at the end, whatever happens."""
    with contextlib.ExitStack() as stack:

        def start(program, up_to="start", number=0):
            processor = bench.open(number)
            claim: dict[str, str] = {}
            stack.callback(lambda: claim and processor.release(claim))
            claim.update(walk(processor, bench.image(program), up_to))
            return processor, claim

        yield start


def until(processor, condition):
    """Look at a processor as a supervisor does until output or state is as wanted.

    Sleeps only as `watch` and `poll_seconds` allow: news that they do not tell of are missed.
    """
    deadline = time.monotonic() + PATIENCE
    output = b""
    while True:
        output += processor.console.read_output()
        if condition(output, processor.state()):
            return output
        left = deadline - time.monotonic()
        assert left > 0, f"{processor.state()}, printed {output!r}"
        period = processor.poll_seconds
        select.select(processor.watch(), [], [], left if period is None else min(period, left))


def printed(text):
    return lambda output, _: text in output


def ended(_, state):
    return state.ended


# --- the board ------------------------------------------------------------------------------


def test_what_there_is(bench):
    infos = bench.board.processors()
    assert len(infos) >= 2
    assert len({info.device for info in infos}) == len(infos)
    for info in infos:
        assert re.fullmatch(r"remoteproc[0-9]+", info.device)
        assert info.name
        assert info.state.startable


def test_opening_what_there_is(bench):
    for info in bench.board.processors():
        processor = bench.board.open(info.device, ProcessorOptions())
        assert (processor.name, processor.device) == (info.name, info.device)
        assert processor.state() == info.state


def test_a_description_in_json_opens_the_same(bench):
    for number, info in enumerate(bench.board.processors()):
        processor = bench.open(number)
        assert (processor.name, processor.device) == (info.name, info.device)


@pytest.mark.parametrize("device", ["remoteproc99", "", "m4", "../remoteproc0"])
def test_what_there_is_not(bench, device):
    with pytest.raises(NotFound):
        bench.board.open(device, ProcessorOptions())
    with pytest.raises(NotFound):
        bench.board.open_args(device, ProcessorOptions())


# --- one life -------------------------------------------------------------------------------


def test_checking_and_planning_change_nothing(bench):
    before = bench.snapshot()
    processor, image = bench.open(), bench.image("hello")
    processor.check(image)
    claim = processor.plan_claim("c1", image)
    assert bench.snapshot() == before
    assert claim
    assert json.loads(json.dumps(dict(claim))) == dict(claim)
    assert all(isinstance(value, str) for value in claim.values())


def test_firmware_that_is_none_is_refused_before_anything_is_done(bench, tmp_path):
    path = tmp_path / "text.elf"
    path.write_text("this is no firmware\n")
    image = FirmwareImage("text.elf", 20, "sha256:0", str(path))
    with pytest.raises(FirmwareUnfit, match=r"text\.elf"):
        bench.open().check(image)


def test_a_life(bench, run):
    processor, claim = run("hello")
    assert processor.state().executing, "start returns when it runs"
    assert bench.board.processors()[0].state.executing
    assert bench.open().state().executing, "others see it, too"
    until(processor, printed(b"hello"))
    processor.stop()
    assert processor.state().startable, "stop returns when it is off"
    processor.release(claim)
    assert bench.open().state().startable


def test_what_is_vacant(bench, run):
    """Off, whether loaded or not: so say all who open it."""
    processor = bench.open()
    assert processor.available()
    image = bench.image("hello")
    claim = processor.plan_claim("c1", image)
    processor.load(claim, image)
    assert processor.available()
    processor.release(claim)
    running, claim = run("hello")
    assert not running.available() and not bench.open().available()
    running.stop()
    assert running.available()
    running.release(claim)
    assert running.available() and bench.open().available()


def test_start_and_stop_again_and_again(bench, run):
    for _ in range(2):
        processor, claim = run("hello")
        until(processor, printed(b"hello"))
        processor.release(claim)
        assert processor.state().startable
    for _ in range(2):
        walk(processor, bench.image("hello"), "start")
        until(processor, printed(b"hello"))
        processor.stop()
    processor.release(claim)


def test_processors_are_independent(bench, run):
    first, _ = run("hello")
    second, claim = run("hello", number=1)
    second.release(claim)
    assert second.state().startable
    assert first.state().executing
    until(first, printed(b"hello"))


def test_a_processor_that_is_off_cannot_be_stopped(bench):
    with pytest.raises(ProcessorFault):
        bench.open().stop()


# --- giving back ----------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_release_is_right_at_any_point_and_any_number_of_times(bench, run, step):
    before = bench.snapshot()
    processor, claim = run("hello", up_to=step)
    for _ in range(3):
        processor.release(claim)
        assert bench.snapshot() == before


@pytest.mark.parametrize("program", ["exit", "crash"])
def test_release_after_an_end(bench, run, program):
    processor, claim = run(program)
    until(processor, ended)
    assert processor.available() == (program == "exit"), "a crash is somebody's to look into"
    processor.release(claim)
    processor.release(claim)
    assert bench.open().state().startable, "a crashed processor is given back off"


def test_release_of_a_claim_that_does_not_run_leaves_the_other_alone(bench, run):
    other = bench.open().plan_claim("c2", bench.image("echo"))
    processor, _ = run("hello")
    for releaser in (processor, bench.open()):
        releaser.release(other)
        assert processor.state().executing
    until(processor, printed(b"hello"))


@pytest.mark.parametrize("step", STEPS)
def test_release_on_behalf_of_a_dead_owner(bench, run, step):
    before = bench.snapshot()
    claim = bench.dead_owner("hello", step)
    processor = bench.open()
    for _ in range(2):
        processor.release(claim)
        assert bench.open().state().startable
        assert bench.snapshot() == before
    successor, _ = run("hello")
    until(successor, printed(b"hello"))


# --- others ---------------------------------------------------------------------------------


def test_what_runs_is_not_loaded_over(bench, run):
    processor, _ = run("hello")
    rival = bench.open()
    image = bench.image("echo")
    claim = rival.plan_claim("c2", image)
    with pytest.raises(ProcessorFault) as refused:
        rival.load(claim, image)
    assert refused.value.errno == errno.EBUSY
    with pytest.raises(ProcessorFault):
        rival.start()
    rival.release(claim)
    assert processor.state().executing
    until(processor, printed(b"hello"))


# --- endings --------------------------------------------------------------------------------


def test_firmware_that_ends(bench, run):
    processor, _ = run("exit")
    until(processor, ended)
    ending = processor.firmware_exit()
    assert not ending.crashed
    if bench.no_status:
        assert ending.status is None
    else:
        assert (ending.status, ending.reason) == (7, "exit code 7")


def test_firmware_that_crashes(bench, run):
    processor, _ = run("crash")
    until(processor, ended)
    ending = processor.firmware_exit()
    assert ending.crashed
    assert ending.status is None


@pytest.mark.parametrize("program", ["exit", "crash"])
def test_the_last_words_are_heard(bench, run, program):
    processor, claim = run(program)
    output = until(processor, ended)
    while data := processor.console.read_output():
        output += data
    words = b"crash" if program == "crash" else b"exit"
    if program == "crash" or not bench.no_last_words:
        assert words in output
    assert output.count(words) <= 1
    processor.release(claim)


# --- input and output -----------------------------------------------------------------------


@pytest.mark.parametrize("program", ["hello", "spin"])
def test_reading_never_waits(bench, run, program):
    assert bench.open().console.read_output() == b""
    processor, _ = run(program)
    began = time.monotonic()
    for _ in range(20):
        processor.console.read_output()
    assert time.monotonic() - began < 1


def test_nothing_is_read_twice(bench, run):
    processor, _ = run("hello")
    output = until(processor, printed(b"hello"))
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        output += processor.console.read_output()
        time.sleep(0.02)
    assert output.count(b"hello from") == 1


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


def test_input(bench, run):
    if bench.no_input:
        processor, _ = run("hello")
        output = give(processor, b"nobody reads this\n" * 10_000)
        until(processor, lambda more, _: b"hello" in output + more)
        return
    processor, _ = run("echo")
    until(processor, printed(b"> "))
    output = give(processor, b"hi there\n")
    until(processor, lambda more, _: b"you said: hi there" in output + more)


# --- pausing --------------------------------------------------------------------------------


def test_pause_and_resume(bench, run):
    processor, _ = run("hello")
    until(processor, printed(b"hello"))
    if bench.no_pause:
        assert processor.freezer is None
        assert processor.state().executing
        return
    processor.freezer.pause()
    assert not processor.state().executing and not processor.state().ended
    processor.console.read_output()
    time.sleep(0.3)
    assert processor.console.read_output() == b"", "what is frozen says nothing"
    processor.freezer.resume()
    assert processor.state().executing


def test_what_is_paused_can_be_stopped(bench, run):
    processor, claim = run("hello")
    if not bench.no_pause:
        processor.freezer.pause()
    processor.stop()
    assert processor.state().startable
    processor.release(claim)


# --- faults of the driver -------------------------------------------------------------------


def test_a_start_that_fails_tells_the_errno_and_leaves_it_off(bench, tmp_path):
    board = bench.plant("start", "ETIMEDOUT")
    device = board.processors()[0].device
    processor = board.open(device, ProcessorOptions())
    image = bench.image("hello")
    claim = processor.plan_claim("c1", image)
    processor.load(claim, image)
    for _ in range(2):
        with pytest.raises(ProcessorFault) as refused:
            processor.start()
        assert refused.value.errno == errno.ETIMEDOUT
        assert processor.state().startable
    processor.release(claim)
    assert board.open(device, ProcessorOptions()).state().startable
    bench.mend()


def test_a_stop_that_fails_tells_the_errno_and_leaves_it_running(bench):
    """In a process that dies: some processors cannot be stopped otherwise, with such a fault."""

    def life():
        board = bench.plant("stop", "EBUSY")
        processor = board.open(board.processors()[0].device, ProcessorOptions())
        claim = walk(processor, bench.image("hello"), "start")
        for _ in range(2):
            with pytest.raises(ProcessorFault) as refused:
                processor.stop()
            assert refused.value.errno == errno.EBUSY
            assert processor.state().executing
        until(processor, printed(b"hello"))
        return claim

    claim = die(life)
    bench.mend()
    bench.open().release(claim)
    assert bench.open().state().startable
