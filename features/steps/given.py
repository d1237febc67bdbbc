"""The state in which a scenario begins."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable

from pytest_bdd import given, parsers

from features.steps.world import RUNS_ON, World, names, succeed

# The board.


@given(parsers.re(r"a board with the processors? (?P<processors>.+)"))
def board(world: World, processors: str) -> None:
    world.set_up_board(names(processors))


@given("a board without processors")
def empty_board(world: World) -> None:
    world.set_up_board([])


@given(parsers.parse("the processor {processor} refuses to start with {errno}"))
def refuses_to_start(world: World, processor: str, errno: str) -> None:
    world.set_fault(processor, "start-error", errno)


@given(parsers.parse("the processor {processor} refuses to stop with {errno}"))
def refuses_to_stop(world: World, processor: str, errno: str) -> None:
    world.set_fault(processor, "stop-error", errno)


@given(parsers.parse("the processor {processor} takes {seconds:g} s to start"))
def slow_to_start(world: World, processor: str, seconds: float) -> None:
    world.set_fault(processor, "start-delay", f"{seconds:g}")


@given(parsers.parse("the processor {processor} no longer refuses"))
def repaired(world: World, processor: str) -> None:
    world.backend.repair(processor)


@given(parsers.parse("the boot loader has started {processor}"))
def started_by_boot_loader(world: World, processor: str) -> None:
    world.set_fault(processor, "boot", "detached")


@given(parsers.parse("{processor} has no driver any more"))
def without_driver(world: World, processor: str) -> None:
    world.backend.unbind(processor)


@given(parsers.parse("the firmware directory is {kind}"))
def firmware_directory(world: World, kind: str) -> None:
    if kind == "watched":
        world.backend.watch_firmware()
    else:
        world.backend.firmware_directory(kind)


# The configuration of the board.


@given("the configuration says nothing about processors")
def silent_configuration(world: World) -> None:
    """That is what a board begins with."""


@given(parsers.parse("the configuration allows {annotation} = {values}"))
def allowed_annotation(world: World, annotation: str, values: str) -> None:
    field = annotation.removeprefix("remoteproc.")
    world.backend.set_entry("*", {"annotations": {field: names(values)}})


@given(parsers.parse("the configuration gives {processor} to the user {user}"))
def given_to_user(world: World, processor: str, user: str) -> None:
    world.backend.set_entry(processor, {"users": [user]})


@given(parsers.parse("the configuration gives {processor} to the operator"))
def given_to_operator(world: World, processor: str) -> None:
    world.backend.set_entry(processor, {"users": [str(os.geteuid())]})


@given(parsers.parse("the configuration refuses annotations of images for {processor}"))
def no_image_annotations(world: World, processor: str) -> None:
    world.backend.set_entry(processor, {"image-annotations": "refuse"})


@given(parsers.parse("the configuration requires signed firmware on {processor}"))
def signed_firmware_required(world: World, processor: str) -> None:
    keys = [world.signer.public]
    world.backend.set_entry(processor, {"require": "signature", "keys": keys})


@given(parsers.parse("the configuration requires the digest of the firmware on {processor}"))
def digest_required(world: World, processor: str) -> None:
    with open(world.backend.sample(RUNS_ON).path, "rb") as file:
        digest = f"sha256:{hashlib.sha256(file.read()).hexdigest()}"
    world.backend.set_entry(processor, {"require": "digest", "digests": [digest]})


@given(parsers.parse("the configuration requires another digest on {processor}"))
def other_digest_required(world: World, processor: str) -> None:
    digest = f"sha256:{hashlib.sha256(b'other firmware').hexdigest()}"
    world.backend.set_entry(processor, {"require": "digest", "digests": [digest]})


# The image and its deployment.


@given(parsers.re(r"an image whose firmware (?P<behaviour>.+)"))
def image(world: World, behaviour: str) -> None:
    """Other steps begin with other words: this one takes all that follows."""
    world.bundle = None
    world.behaviour = behaviour


@given(parsers.parse("the image has firmware that is {kind}"))
def image_with_signature(world: World, kind: str) -> None:
    def bundle(processor: str) -> str:
        sample = world.backend.sample(RUNS_ON)
        made = world.backend.bundle(sample, processor)
        path = f"{world.backend.image_path(made)}/{sample.name}"
        with open(path, "rb") as file:
            firmware = bytearray(file.read())
        signer = world.other_signer if kind == "signed by another key" else world.signer
        signature = signer.sign(bytes(firmware))
        if kind == "signed by a damaged signature":
            signature = signature[:-1]
        if kind == "signed, and one bit different":
            firmware[len(firmware) // 2] ^= 1
            with open(path, "wb") as file:
                file.write(firmware)
        if kind != "not signed":
            with open(f"{path}.sig", "wb") as file:
                file.write(signature)
        return made

    world.bundle = bundle


@given("Podman runs the image")
def image_run_by_podman(world: World) -> None:
    world.annotations["io.container.manager"] = "libpod"


@given("the image is annotated as a sandbox of a pod")
def image_annotated_as_sandbox(world: World) -> None:
    world.annotations["io.kubernetes.cri.container-type"] = "sandbox"
    world.annotations["io.kubernetes.cri.sandbox-id"] = "0123456789abcdef"


@given(parsers.parse("an image whose entry point is {path}"))
def image_with_entry_point(world: World, path: str) -> None:
    def bundle(processor: str) -> str:
        sample = world.backend.sample(RUNS_ON)
        return world.backend.bundle(sample, processor, args=[path.replace("\\n", "\n")])

    world.bundle = bundle


@given("an image without an entry point")
def image_without_entry_point(world: World) -> None:
    world.bundle = lambda processor: world.backend.bundle(None, processor, args=[])


@given(parsers.parse("an image with a link to {target} as its firmware"))
def image_with_link(world: World, target: str) -> None:
    _image_with(world, lambda path: os.symlink(target, path))


@given(parsers.parse("an image with a link to firmware outside of it, which is {way}"))
def image_with_link_to_outside(world: World, way: str) -> None:
    target = world.backend.outside(world.backend.sample(RUNS_ON))

    def make(path: str) -> None:
        to_root = path.count("/") - 1
        upwards = {"absolute": 0, "relative": to_root, "relative, with too many ../": 99}[way]
        os.symlink("../" * upwards + (target.lstrip("/") if upwards else target), path)

    _image_with(world, make)


@given("an image with a FIFO as its firmware")
def image_with_fifo(world: World) -> None:
    _image_with(world, os.mkfifo)


@given("an image with a directory as its firmware")
def image_with_directory(world: World) -> None:
    _image_with(world, os.mkdir)


@given("an image with an absolute link to a file of its own as its firmware")
def image_with_link_to_inside(world: World) -> None:
    def bundle(processor: str) -> str:
        path = world.backend.bundle(world.backend.sample(RUNS_ON), processor)
        root = world.backend.image_path(path)
        os.mkdir(f"{root}/lib")
        os.rename(f"{root}/firmware.elf", f"{root}/lib/v2.elf")
        os.symlink("/lib/v2.elf", f"{root}/firmware.elf")
        return path

    world.bundle = bundle


def _image_with(world: World, make_firmware: Callable[[str], None]) -> None:
    def bundle(processor: str) -> str:
        path = world.backend.bundle(None, processor, args=["/firmware.elf"])
        make_firmware(f"{world.backend.image_path(path)}/firmware.elf")
        return path

    world.bundle = bundle


@given(parsers.parse("the image is annotated with {key} = {value}"))
def annotation(world: World, key: str, value: str) -> None:
    world.annotations[key] = value


@given("the deployment requires the digest of this firmware")
def digest_of_this_firmware(world: World) -> None:
    with open(world.backend.sample(world.behaviour).path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    world.annotations["remoteproc.firmware-digest"] = f"sha256:{digest}"


@given("the deployment requires the digest of other firmware")
def digest_of_other_firmware(world: World) -> None:
    world.annotations["remoteproc.firmware-digest"] = f"sha256:{'0123456789abcdef' * 4}"


# Containers.


@given(parsers.parse("the container {container} was created for {processor}"))
def created(world: World, container: str, processor: str) -> None:
    succeed(world.create(container, processor))


@given(parsers.parse("the container {container} runs on {processor}"))
def running(world: World, container: str, processor: str) -> None:
    succeed(world.deploy(container, processor))


@given(parsers.parse("the container {container} ran on {processor} and is stopped"))
def stopped(world: World, container: str, processor: str) -> None:
    succeed(world.deploy(container, processor))
    succeed(world.backend.command("kill", container))


@given(parsers.parse("the container {container} ran on {processor} and has crashed"))
def crashed(world: World, container: str, processor: str) -> None:
    sample = world.backend.sample("crashes")
    bundle = world.backend.bundle(sample, processor)
    succeed(world.backend.command("create", "--bundle", bundle, container))
    succeed(world.start(container))
    state = world.backend.wait_for_end(container)
    assert state["annotations"]["remoteproc.exit-status"] == "139", state


@given(parsers.parse("{container} runs again after a crash that the kernel recovered"))
def recovered(world: World, container: str) -> None:
    world.backend.crash_and_recover(container)


@given(parsers.parse("an earlier stop of {container} has failed"))
def not_stopped(world: World, container: str) -> None:
    assert world.backend.command("kill", container).code == 1


@given(parsers.parse("the supervisor of {container} is dead, and {processor} runs on"))
def without_supervisor(world: World, container: str, processor: str) -> None:
    world.backend.kill_supervisor(container)
    assert world.backend.hardware_state(processor) == "running"


@given(parsers.parse("the bundle of {container} now names {processor}"))
def changed_bundle(world: World, container: str, processor: str) -> None:
    path = os.path.join(world.backend.state(container)["bundle"], "config.json")
    with open(path, "w") as file:
        json.dump({"annotations": {"remoteproc.name": processor}}, file)


@given(parsers.parse("one bit of the firmware of {container} has changed since"))
def changed_copy(world: World, container: str) -> None:
    world.backend.change_copy(container)


# Output and input.


@given(parsers.parse("{container} has printed {text}"))
def has_printed(world: World, container: str, text: str) -> None:
    world.backend.wait_for_output(container, text)


@given(parsers.parse("the text {text} waits at the console of {container}"))
def text_waits(world: World, text: str, container: str) -> None:
    world.backend.type(container, text)


@given(parsers.parse("the console of {container} is in use"))
def console_in_use(world: World, container: str) -> None:
    world.backend.type(container, "hello")
    world.backend.wait_for_output(container, "you said: hello")


# Other users.


@given(parsers.parse("another user's firmware runs on {processor}"))
@given(parsers.parse("another user has told {processor} to start, too"))
def started_by_other_user(world: World, processor: str) -> None:
    world.backend.start_as_other_user(processor)


@given(parsers.parse("another user's start of {processor} is in progress"))
def being_started_by_other_user(world: World, processor: str) -> None:
    world.backend.start_as_other_user(processor, wait=False)
