"""What happens: mostly what operators do."""

from __future__ import annotations

from pytest_bdd import parsers, when

from features.steps.world import names


@when(parsers.parse("the operator deploys the image to {processor} as {container}"))
def deploy(world, processor, container):
    world.outcome = world.deploy(container, processor)


@when(parsers.parse("the operator deploys the image without naming a processor as {container}"))
def deploy_anywhere(world, container):
    world.outcome = world.deploy(container, "")


@when(parsers.parse("the operator creates {container} for {processor}"))
def create(world, container, processor):
    world.outcome = world.create(container, processor)


@when(parsers.parse("the operator runs the image on {processor} in the foreground as {container}"))
def foreground(world, processor, container):
    world.outcome = world.bench.command("run", "--bundle", world.make_bundle(processor), container)


@when(parsers.re(r"the operator starts (?P<container>\S+)"))
def start(world, container):
    world.outcome = world.start(container)


@when(parsers.parse("the operator stops {container}"))
def stop(world, container):
    world.outcome = world.bench.command("kill", container)


@when(parsers.parse("the operator sends {signal} to {container}"))
def signal(world, signal, container):
    world.outcome = world.bench.command("kill", container, signal)


@when(parsers.parse("the operator kills {container}"))
def kill(world, container):
    world.outcome = world.bench.command("kill", container, "KILL")


@when(parsers.parse("the operator types {text} to {container}"))
def type_in(world, text, container):
    world.bench.type(container, text)


@when(parsers.re(r"the operator deletes (?P<container>\S+)"))
def delete(world, container):
    world.outcome = world.bench.command("delete", container)


@when(parsers.parse("the operator deletes {container} by force"))
def delete_by_force(world, container):
    world.outcome = world.bench.command("delete", "--force", container)


@when(parsers.parse("the operator follows the log of {container}"))
def follow(world, container):
    world.outcome = world.succeed(world.bench.command("logs", "--follow", container))
    world.shown = world.outcome.out


@when(parsers.parse("the operator looks at the log of {container}"))
def look(world, container):
    world.outcome = world.succeed(world.bench.command("logs", container))
    world.shown = world.outcome.out


@when(parsers.parse("the operator asks for the state of {container}"))
def ask_state(world, container):
    world.outcome = world.bench.command("state", container)


@when("the operator lists the containers")
def list_containers(world):
    world.outcome = world.succeed(world.bench.command("list"))
    world.shown = world.outcome.out


@when("the operator lists the processors")
def list_processors(world):
    world.outcome = world.succeed(world.bench.command("processors"))
    world.shown = world.outcome.out


@when(parsers.re(r"the firmware of (?P<container>\S+) (?P<_how>ends|crashes|gives up)"))
def ends(world, container):
    world.bench.wait_for_end(container)


@when(parsers.re(r"the processor crashes under (?P<container>\S+)"))
def crash(world, container):
    world.seconds = world.bench.crash(container)


@when(parsers.parse("the processor crashes by {kind} under {container}"))
def crash_by(world, kind, container):
    world.seconds = world.bench.crash(container, kind)


@when(parsers.parse("the processor crashes under {container} and is recovered"))
def crash_and_recover(world, container):
    world.bench.crash_and_recover(container)


@when(
    parsers.parse(
        "the processor crashes under {container} {times:d} times and is recovered each time"
    )
)
def crash_often(world, container, times):
    for _ in range(times):
        world.bench.crash_and_recover(container)


@when(parsers.parse("the driver of {processor} is removed"))
def remove_driver(world, processor):
    world.bench.unbind(processor)


@when(parsers.parse("somebody stops {processor} by hand"))
def stop_by_hand(world, processor):
    world.bench.stop_by_hand(processor)


@when(parsers.parse("the operator gives the command {words}"))
def give_command(world, words):
    world.outcome = world.bench.command(*words.split())


@when(parsers.parse("the supervisor of {container} is killed outright"))
def kill_supervisor(world, container):
    world.bench.kill_supervisor(container)


@when(parsers.parse("the operator starts {containers} at the same time"))
def race(world, containers):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        world.outcomes = list(pool.map(world.start, names(containers)))


@when(parsers.parse("the operator starts {containers}, one after the other"))
def in_turn(world, containers):
    world.outcomes = [world.start(container) for container in names(containers)]
