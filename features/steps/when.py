"""The event of a scenario: mostly a command of the operator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pytest_bdd import parsers, when

from features.steps.world import World, names, succeed

# Commands of the operator.


@when(parsers.parse("the operator deploys the image to {processor} as {container}"))
def deploy(world: World, processor: str, container: str) -> None:
    world.outcome = world.deploy(container, processor)


@when(parsers.parse("the operator deploys the image without naming a processor as {container}"))
def deploy_without_processor(world: World, container: str) -> None:
    world.outcome = world.deploy(container, "")


@when(parsers.parse("the operator deploys the image as {container} and says {key} = {value}"))
def deploy_with_annotation(world: World, container: str, key: str, value: str) -> None:
    bundle = world.make_bundle("")
    said = {key: value}
    created = world.backend.command("create", "--bundle", bundle, container, said=said)
    world.outcome = created if created.code else world.start(container)


@when(parsers.parse("the operator creates {container} for {processor}"))
def create(world: World, container: str, processor: str) -> None:
    world.outcome = world.create(container, processor)


@when(parsers.parse("the operator runs the image on {processor} in the foreground as {container}"))
def run_in_foreground(world: World, processor: str, container: str) -> None:
    bundle = world.make_bundle(processor)
    world.outcome = world.backend.command("run", "--bundle", bundle, container)


@when(parsers.re(r"the operator starts (?P<container>\S+)"))
def start(world: World, container: str) -> None:
    world.outcome = world.start(container)


@when(parsers.parse("the operator starts {containers} at the same time"))
def start_at_the_same_time(world: World, containers: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        world.outcomes = list(pool.map(world.start, names(containers)))


@when(parsers.parse("the operator starts {containers}, one after the other"))
def start_one_after_the_other(world: World, containers: str) -> None:
    world.outcomes = [world.start(container) for container in names(containers)]


@when(parsers.parse("the operator stops {container}"))
def stop(world: World, container: str) -> None:
    world.outcome = world.backend.command("kill", container)


@when(parsers.parse("the operator sends {signal} to {container}"))
def send_signal(world: World, signal: str, container: str) -> None:
    world.outcome = world.backend.command("kill", container, signal)


@when(parsers.parse("the operator kills {container}"))
def kill(world: World, container: str) -> None:
    world.outcome = world.backend.command("kill", container, "KILL")


@when(parsers.re(r"the operator deletes (?P<container>\S+)"))
def delete(world: World, container: str) -> None:
    world.outcome = world.backend.command("delete", container)


@when(parsers.parse("the operator deletes {container} by force"))
def delete_by_force(world: World, container: str) -> None:
    world.outcome = world.backend.command("delete", "--force", container)


@when(parsers.parse("the operator follows the log of {container}"))
def follow_log(world: World, container: str) -> None:
    world.outcome = succeed(world.backend.command("logs", "--follow", container))


@when(parsers.parse("the operator reads the log of {container}"))
def read_log(world: World, container: str) -> None:
    world.outcome = succeed(world.backend.command("logs", container))


@when(parsers.parse("the operator asks for the state of {container}"))
def ask_for_state(world: World, container: str) -> None:
    world.outcome = world.backend.command("state", container)


@when("the operator lists the containers")
def list_containers(world: World) -> None:
    world.outcome = succeed(world.backend.command("list"))


@when("the operator lists the processors")
def list_processors(world: World) -> None:
    world.outcome = succeed(world.backend.command("processors"))


@when(parsers.parse("the operator gives the command {words}"))
def give_command(world: World, words: str) -> None:
    world.outcome = world.backend.command(*words.split())


@when(parsers.parse("the operator types {text} to {container}"))
def type_text(world: World, text: str, container: str) -> None:
    world.backend.type(container, text)


# Faults and other users.


@when(parsers.re(r"the processor crashes under (?P<container>\S+)"))
def crash(world: World, container: str) -> None:
    world.crash(container, "fatal error")


@when(parsers.parse("the processor crashes by {kind} under {container}"))
def crash_by_kind(world: World, kind: str, container: str) -> None:
    world.crash(container, kind)


@when(parsers.parse("the processor crashes under {container} and is recovered"))
def crash_and_recover(world: World, container: str) -> None:
    world.backend.crash_and_recover(container)


@when(
    parsers.parse(
        "the processor crashes under {container} {times:d} times and is recovered each time"
    )
)
def crash_and_recover_repeatedly(world: World, container: str, times: int) -> None:
    for _ in range(times):
        world.backend.crash_and_recover(container)


@when(parsers.parse("the driver of {processor} is removed"))
def remove_driver(world: World, processor: str) -> None:
    world.backend.unbind(processor)


@when(parsers.parse("another user stops {processor}"))
def stop_as_other_user(world: World, processor: str) -> None:
    world.backend.stop_as_other_user(processor)


@when(parsers.parse("signal 9 kills the supervisor of {container}"))
def kill_supervisor(world: World, container: str) -> None:
    world.backend.kill_supervisor(container)
