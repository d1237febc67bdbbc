"""How things stand afterwards."""

from __future__ import annotations

import subprocess
import sys
import time

from pytest_bdd import parsers, then

from features.steps.world import names

_BUSY = 0.013  # seconds that an interpreter takes to start on an idle machine


@then("it succeeds")
def succeeds(world):
    world.succeed(world.outcome)


@then(parsers.parse('it is refused: "{text}"'))
@then(parsers.parse('the refusal says: "{text}"'))
def refused(world, text):
    assert text in world.outcome.complaint


@then(parsers.parse("the refusal names {things}"))
def refusal_names(world, things):
    missing = [name for name in names(things) if name not in world.outcome.complaint]
    assert not missing, (missing, world.outcome.complaint)


@then(parsers.parse("it ends with exit status {status:d}"))
def exit_code(world, status):
    assert world.outcome.code == status, world.outcome.err


@then(parsers.re(r"(?P<processor>\S+) runs (?P<container>\S+)"))
def processor_runs(world, processor, container):
    row = world.bench.processor(processor)
    assert (row["state"], row["owner"]) == ("running", container)


@then(parsers.re(r"(?P<processor>\S+) is left running"))
def runs_on(world, processor):
    row = world.bench.processor(processor)
    assert (row["state"], row["owner"]) == ("running", "")


@then(parsers.parse("{processor} is off"))
def processor_off(world, processor):
    row = world.bench.processor(processor)
    assert (row["state"], row["owner"]) == ("offline", "")


@then(parsers.parse("{processor} is attached for {container}"))
def attached_for(world, processor, container):
    row = world.bench.processor(processor)
    assert (row["state"], row["owner"]) == ("attached", container)


@then(parsers.parse("the boot loader's firmware is left running on {processor}"))
def boot_loader_left(world, processor):
    assert world.bench.processor(processor)["owner"] == ""
    assert world.bench.hardware_state(processor) == "detached"


@then(parsers.parse("{processor} goes off without a command"))
def goes_off(world, processor):
    deadline = time.monotonic() + 5
    while world.bench.hardware_state(processor) != "offline":
        assert time.monotonic() < deadline
        time.sleep(0.02)


@then(parsers.parse("{processor} went off by that command"))
def went_off(world, processor):
    assert world.bench.hardware_state(processor) == "offline"


@then(parsers.parse("the status of {container} is {status}"))
def status(world, container, status):
    assert world.bench.state(container)["status"] == status


@then(parsers.parse("{container} has ended with status {status:d}"))
def ended(world, container, status):
    state = world.bench.wait_for_end(container)
    assert state["annotations"]["remoteproc.exit-status"] == str(status), state


@then(parsers.parse('the reason given for {container} is "{text}"'))
def reason(world, container, text):
    assert text in world.bench.state(container)["annotations"]["remoteproc.exit-reason"]


@then(parsers.parse("{container} does not exist"))
def gone(world, container):
    assert (
        f"container {container} does not exist" in world.bench.command("state", container).complaint
    )


@then(parsers.parse("it took {seconds:g} s or more"))
def took(world, seconds):
    assert world.outcome.seconds >= seconds


@then(parsers.parse("a core dump is kept that holds {text}"))
def core_dump(world, text):
    (core,) = world.bench.coredumps()
    assert core.startswith(b"\x7fELF") and text.encode() in core


@then("no core dump is kept")
def no_core_dump(world):
    assert world.bench.coredumps() == []


@then("every firmware file came whole and was not changed")
def came_whole(world):
    world.firmware_events = [e for e in world.bench.firmware_events() if e[0][0] != "."]
    lives: dict[str, list[str]] = {}
    for name, event in world.firmware_events:
        lives.setdefault(name, []).append(event)
    assert lives
    for name, events in lives.items():
        assert events in (["moved here"], ["moved here", "removed"]), name


@then(parsers.re(r"(?P<came>\d+) firmware files? came and (?P<went>\d+) went"))
def came_and_went(world, came, went):
    events = [event for _, event in world.firmware_events]
    assert (events.count("moved here"), events.count("removed")) == (int(came), int(went))


@then(parsers.re(r"(?P<container>\S+) prints (?P<times>\d+) times (?P<text>.+)"))
def prints_often(world, container, times, text):
    deadline = time.monotonic() + 15
    while (out := world.bench.output(container)[0]).count(text) < int(times):
        assert time.monotonic() < deadline, out
        time.sleep(0.02)


@then(parsers.parse('the runtime remarks {times:d} times on {container}: "{text}"'))
def remarks_often(world, times, container, text):
    assert world.bench.output(container)[1].count(text) == times


@then(parsers.re(r"(?P<container>\S+) prints (?!\d+ times )(?P<text>.+)"))
def prints(world, container, text):
    world.bench.wait_for_output(container, text)


@then(parsers.parse("{container} has not printed {text}"))
def has_not_printed(world, container, text):
    assert text not in world.bench.output(container)[0]


@then(parsers.parse('the runtime remarks on {container}: "{text}"'))
def remarks(world, container, text):
    world.bench.wait_for_end(container)
    out, err = world.bench.output(container)
    assert text in err and text not in out


@then(parsers.parse("it shows {things}"))
def shows(world, things):
    missing = [thing for thing in names(things) if thing not in world.shown]
    assert not missing, (missing, world.shown)


@then(parsers.parse("it does not show {text}"))
def shows_not(world, text):
    assert text not in world.shown


@then(parsers.parse("the end of {container} is known within {milliseconds:d} ms"))
def known_within(world, container, milliseconds):
    """On a machine that is busy with other things, all the slower for that."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-I", "-c", "pass"], check=True, timeout=30)
    busy = max(1.0, (time.monotonic() - began) / _BUSY)
    assert world.seconds < milliseconds / 1000 * busy
    assert world.bench.state(container)["status"] == "stopped"


@then(parsers.parse("{container} can be deleted"))
def can_be_deleted(world, container):
    world.succeed(world.bench.command("delete", container))


@then(parsers.parse("{container} can be deployed to {processor}"))
def can_be_deployed(world, container, processor):
    world.bundle, world.behaviour, world.annotations = None, "", {}
    world.succeed(world.deploy(container, processor))


@then(parsers.parse("just one of {containers} runs on {processor}"))
def just_one(world, containers, processor):
    codes = [outcome.code for outcome in world.outcomes]
    assert sorted(codes) == [0] + [1] * (len(codes) - 1), world.outcomes
    winner = names(containers)[codes.index(0)]
    assert world.bench.processor(processor)["owner"] == winner
    for outcome in world.outcomes:
        assert outcome.code == 0 or f"belongs to container {winner}" in outcome.complaint


@then("nothing of the host's is shown")
def nothing_shown(world):
    for path in ("/etc/hostname", "/etc/shadow", "/etc/passwd"):
        with open(path) as file:
            for line in filter(None, file.read().splitlines()):
                assert line not in world.outcome.err, path


@then(parsers.parse('both are refused: "{text}"'))
def both_refused(world, text):
    assert all(text in outcome.complaint for outcome in world.outcomes)
