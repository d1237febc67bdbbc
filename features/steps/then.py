"""The state in which a scenario must end."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from pytest_bdd import parsers, then

from features.steps.world import World, names, succeed

# The outcome of the operator's command.


@then("it succeeds")
def succeeds(world: World) -> None:
    succeed(world.outcome)


@then(parsers.parse('it is refused: "{text}"'))
@then(parsers.parse('the refusal says: "{text}"'))
def refused(world: World, text: str) -> None:
    assert text in world.outcome.refusal


@then(parsers.parse("the refusal names {things}"))
def refusal_names(world: World, things: str) -> None:
    missing = [name for name in names(things) if name not in world.outcome.refusal]
    assert not missing, (missing, world.outcome.refusal)


@then(parsers.parse('both are refused: "{text}"'))
def both_refused(world: World, text: str) -> None:
    assert len(world.outcomes) == 2
    assert all(text in outcome.refusal for outcome in world.outcomes)


@then(parsers.parse("just one of {containers} runs on {processor}"))
def just_one_runs(world: World, containers: str, processor: str) -> None:
    codes = [outcome.code for outcome in world.outcomes]
    assert sorted(codes) == [0] + [1] * (len(codes) - 1), world.outcomes
    winner = names(containers)[codes.index(0)]
    assert world.backend.processor(processor)["owner"] == winner
    for outcome in world.outcomes:
        assert outcome.code == 0 or f"belongs to container {winner}" in outcome.refusal


@then(parsers.parse("the command ends with exit status {status:d}"))
def command_ends_with(world: World, status: int) -> None:
    assert world.outcome.code == status, world.outcome.err


@then(parsers.parse("it took {seconds:g} s or more"))
def took(world: World, seconds: float) -> None:
    assert world.outcome.seconds >= seconds


@then("the table shows:")
def table_shows(world: World, datatable: Sequence[Sequence[str]]) -> None:
    """The operator's table has these rows, no others, in these columns."""
    head, *rows = (re.split(" {2,}", line) for line in world.outcome.out.splitlines())
    columns = [head.index(title) for title in datatable[0]]
    shown = [[row[column] for column in columns] for row in rows]
    assert sorted(shown) == sorted(map(list, datatable[1:]))


@then(parsers.parse("the log shows {texts}"))
def log_shows(world: World, texts: str) -> None:
    """The log has these texts, in this order, and then these reports of the runtime."""
    log = world.outcome.out + world.outcome.err
    at = 0
    for text in names(texts):
        assert text in log[at:], (text, log)
        at = log.index(text, at) + len(text)


@then(parsers.parse("the log does not show {text}"))
def log_does_not_show(world: World, text: str) -> None:
    assert text not in world.outcome.out + world.outcome.err


@then("no file of the host is shown")
def no_host_file_shown(world: World) -> None:
    for path in ("/etc/hostname", "/etc/shadow", "/etc/passwd"):
        with open(path) as file:
            for line in filter(None, file.read().splitlines()):
                assert line not in world.outcome.err, path


# The processor.


@then(parsers.re(r"(?P<processor>\S+) runs (?P<container>\S+)"))
def processor_runs(world: World, processor: str, container: str) -> None:
    row = world.backend.processor(processor)
    assert (row["state"], row["owner"]) == ("running", container)


@then(parsers.re(r"(?P<processor>\S+) is left running"))
def processor_left_running(world: World, processor: str) -> None:
    row = world.backend.processor(processor)
    assert (row["state"], row["owner"]) == ("running", "")


@then(parsers.parse("{processor} is off"))
def processor_off(world: World, processor: str) -> None:
    row = world.backend.processor(processor)
    assert (row["state"], row["owner"]) == ("offline", "")


@then(parsers.parse("{processor} is attached for {container}"))
def processor_attached(world: World, processor: str, container: str) -> None:
    row = world.backend.processor(processor)
    assert (row["state"], row["owner"]) == ("attached", container)


@then(parsers.parse("the boot loader's firmware is left running on {processor}"))
def boot_loader_firmware_left_running(world: World, processor: str) -> None:
    assert world.backend.processor(processor)["owner"] == ""
    assert world.backend.hardware_state(processor) == "detached"


@then(parsers.parse("{processor} goes off without a command"))
def processor_goes_off(world: World, processor: str) -> None:
    deadline = time.monotonic() + 5
    while world.backend.hardware_state(processor) != "offline":
        assert time.monotonic() < deadline
        time.sleep(0.02)


@then(parsers.parse("{processor} went off by that command"))
@then(parsers.re(r"(?P<processor>\S+) was off when \S+ ended"))
def processor_went_off(world: World, processor: str) -> None:
    """Reads the state without a command, which would stop a processor that has no owner."""
    assert world.backend.hardware_state(processor) == "offline"


# The container.


@then(parsers.parse("the status of {container} is {status}"))
def status_is(world: World, container: str, status: str) -> None:
    assert world.backend.state(container)["status"] == status


@then(parsers.parse("{container} ends before any command is given"))
def ends_before_any_command(world: World, container: str) -> None:
    """The supervisor ends after the crash. No command has been given since, which might end it.

    The time that this takes is measured by bench/crash.py.
    """
    assert world.crashing
    assert world.crashing.wait(5), f"{container} waits for a command"
    assert world.backend.commands_given == world.commands_before_crash


@then(parsers.parse("{container} has ended with status {status:d}"))
def ended_with(world: World, container: str, status: int) -> None:
    state = world.backend.wait_for_end(container)
    assert state["annotations"]["remoteproc.exit-status"] == str(status), state


@then(parsers.parse('the reason given for {container} is "{text}"'))
def reason_is(world: World, container: str, text: str) -> None:
    assert text in world.backend.state(container)["annotations"]["remoteproc.exit-reason"]


@then(parsers.parse("{container} does not exist"))
def does_not_exist(world: World, container: str) -> None:
    refusal = world.backend.command("state", container).refusal
    assert f"container {container} does not exist" in refusal


@then(parsers.parse("{container} can be deleted"))
def can_be_deleted(world: World, container: str) -> None:
    succeed(world.backend.command("delete", container))


@then(parsers.parse("{container} can be deployed to {processor}"))
def can_be_deployed(world: World, container: str, processor: str) -> None:
    world.bundle, world.behaviour, world.annotations = None, "", {}
    succeed(world.deploy(container, processor))


# Output, reports and files.


@then(parsers.re(r"(?P<container>\S+) prints (?!\d+ times )(?P<text>.+)"))
def prints(world: World, container: str, text: str) -> None:
    world.backend.wait_for_output(container, text)


@then(parsers.re(r"(?P<container>\S+) prints (?P<times>\d+) times (?P<text>.+)"))
def prints_repeatedly(world: World, container: str, times: str, text: str) -> None:
    deadline = time.monotonic() + 15
    while (out := world.backend.output(container)[0]).count(text) < int(times):
        assert time.monotonic() < deadline, out
        time.sleep(0.02)


@then(parsers.parse("{container} has not printed {text}"))
def has_not_printed(world: World, container: str, text: str) -> None:
    assert text not in world.backend.output(container)[0]


@then(parsers.parse('the runtime reports on {container}: "{text}"'))
def reports(world: World, container: str, text: str) -> None:
    world.backend.wait_for_end(container)
    out, err = world.backend.output(container)
    assert text in err and text not in out


@then(parsers.parse('the runtime reports {times:d} times on {container}: "{text}"'))
def reports_repeatedly(world: World, times: int, container: str, text: str) -> None:
    assert world.backend.output(container)[1].count(text) == times


@then(parsers.parse("a core dump is saved that contains {text}"))
def core_dump_saved(world: World, text: str) -> None:
    (core,) = world.backend.core_dumps()
    assert core.startswith(b"\x7fELF") and text.encode() in core


@then("no core dump is saved")
def no_core_dump_saved(world: World) -> None:
    assert world.backend.core_dumps() == []


@then("every firmware file was complete when it appeared, and did not change")
def firmware_complete_and_unchanged(world: World) -> None:
    """A file that is complete appears by one rename."""
    events_of: dict[str, list[str]] = {}
    for name, event in _events_of_firmware_files(world):
        events_of.setdefault(name, []).append(event)
    assert events_of
    for name, events in events_of.items():
        assert events in (["moved here"], ["moved here", "removed"]), name


@then(
    parsers.re(
        r"(?P<appeared>\d+) firmware files? appeared and (?P<removed>\d+) (was|were) removed"
    )
)
def firmware_files_appeared(world: World, appeared: str, removed: str) -> None:
    events = [event for _, event in _events_of_firmware_files(world)]
    assert (events.count("moved here"), events.count("removed")) == (int(appeared), int(removed))


def _events_of_firmware_files(world: World) -> list[tuple[str, str]]:
    """Return names and events; a file is hidden while it is written."""
    return [(name, event) for name, event in world.backend.firmware_events() if name[0] != "."]
