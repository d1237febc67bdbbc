"""How things stand before something happens."""

from __future__ import annotations

import hashlib
import json
import os

from pytest_bdd import given, parsers

from features.steps.world import names


@given(parsers.re(r"a board with the processors? (?P<processors>.+)"))
def board(world, processors):
    world.set_up(names(processors))


@given("a board without processors")
def no_processors(world):
    world.set_up([])


@given(parsers.parse("the processor {processor} refuses to start with {errno}"))
def refusing(world, processor, errno):
    world.set_fault(processor, "start-error", errno)


@given(parsers.parse("the processor {processor} refuses to stop with {errno}"))
def refusing_stop(world, processor, errno):
    world.set_fault(processor, "stop-error", errno)


@given(parsers.parse("the processor {processor} takes {seconds:g} s to start"))
def slow(world, processor, seconds):
    world.set_fault(processor, "start-delay", f"{seconds:g}")


@given(parsers.parse("the boot loader has started {processor}"))
def boot_loaded(world, processor):
    world.set_fault(processor, "boot", "detached")


@given(parsers.parse("the firmware directory is {kind}"))
def firmware_directory(world, kind):
    if kind == "watched":
        world.bench.watch_firmware()
    else:
        world.bench.firmware_directory(kind)


@given(parsers.re(r"an image whose firmware (?P<behaviour>.+)"))
def image(world, behaviour):
    world.bundle = None
    world.behaviour = behaviour


@given(parsers.parse("an image whose entry point is {path}"))
def entry_point(world, path):
    def bundle(processor):
        sample = world.bench.sample("prints and runs on")
        return world.bench.bundle(sample, processor, args=[path.replace("\\n", "\n")])

    world.bundle = bundle


@given("an image without an entry point")
def no_entry_point(world):
    world.bundle = lambda processor: world.bench.bundle(None, processor, args=[])


@given(parsers.parse("an image whose firmware is a link to {target}"))
def link(world, target):
    _put(world, lambda path: os.symlink(target, path))


@given(
    parsers.parse("an image whose firmware is a link, {way}, to good firmware outside the image")
)
def link_outside(world, way):
    target = world.bench.outside(world.bench.sample("prints and runs on"))

    def make(path):
        climb = {"from the top": 0, "by climbing": path.count("/") - 1, "by climbing too high": 99}
        os.symlink("../" * climb[way] + target[climb[way] > 0 :], path)

    _put(world, make)


@given("an image whose firmware is a FIFO")
def fifo(world):
    _put(world, os.mkfifo)


@given("an image whose firmware is a directory")
def directory(world):
    _put(world, os.mkdir)


@given("an image whose firmware is an absolute link to a file of the image")
def link_inside(world):
    def bundle(processor):
        made = world.bench.bundle(world.bench.sample("prints and runs on"), processor)
        image = world.bench.image_path(made)
        os.mkdir(f"{image}/lib")
        os.rename(f"{image}/firmware.elf", f"{image}/lib/v2.elf")
        os.symlink("/lib/v2.elf", f"{image}/firmware.elf")
        return made

    world.bundle = bundle


def _put(world, make):
    def bundle(processor):
        made = world.bench.bundle(None, processor, args=["/firmware.elf"])
        make(f"{world.bench.image_path(made)}/firmware.elf")
        return made

    world.bundle = bundle


@given(parsers.parse("the image is annotated with {key} = {value}"))
def annotated(world, key, value):
    world.annotations[key] = value


@given("the deployment pins the digest of the firmware")
def pinned(world):
    with open(world.bench.sample(world.behaviour).path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    world.annotations["remoteproc.firmware-digest"] = f"sha256:{digest}"


@given("the deployment pins the digest of other firmware")
def pinned_other(world):
    world.annotations["remoteproc.firmware-digest"] = f"sha256:{'0123456789abcdef' * 4}"


@given(parsers.parse("the container {container} was created for {processor}"))
def created(world, container, processor):
    world.succeed(world.create(container, processor))


@given(parsers.parse("the container {container} runs on {processor}"))
def runs(world, container, processor):
    world.succeed(world.deploy(container, processor))


@given(parsers.parse("the container {container} ran on {processor} and was stopped"))
def ran(world, container, processor):
    world.succeed(world.deploy(container, processor))
    world.succeed(world.bench.command("kill", container))


@given(parsers.parse("somebody started {processor} by hand"))
def by_hand(world, processor):
    world.bench.start_by_hand(processor)


@given(parsers.parse("somebody is starting {processor} by hand at this moment"))
def by_hand_now(world, processor):
    world.bench.start_by_hand(processor, wait=False)


@given(parsers.parse("the processor crashed under {container} and was recovered"))
def recovered(world, container):
    world.bench.crash_and_recover(container)


@given(
    parsers.parse(
        "the operator tried to stop {container} in vain, and {processor} is in order again"
    )
)
def tried_to_stop(world, container, processor):
    assert world.bench.command("kill", container).code == 1
    world.bench.repair(processor)


@given(parsers.parse("the driver of {processor} was removed"))
def driver_removed(world, processor):
    world.bench.unbind(processor)


@given(parsers.parse("the supervisor of {container} was killed outright, and {processor} runs on"))
def supervisor_killed(world, container, processor):
    world.bench.kill_supervisor(container)
    assert world.bench.hardware_state(processor) == "running"


@given(parsers.parse("{container} has printed {text}"))
def has_printed(world, container, text):
    world.bench.wait_for_output(container, text)


@given(parsers.parse("the operator typed {text} to {container}"))
def typed(world, text, container):
    world.bench.type(container, text)


@given(parsers.parse("somebody changed the bundle of {container} to ask for {processor}"))
def changed(world, container, processor):
    path = os.path.join(world.bench.state(container)["bundle"], "config.json")
    with open(path, "w") as file:
        json.dump({"annotations": {"remoteproc.name": processor}}, file)
