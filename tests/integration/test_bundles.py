"""Proves that a bundle that cannot run is refused in one line, and that no file is left.

The line says what is wrong, where, and what to do. No bundle causes a traceback.
"""

import json
import os
import socket

import pytest

from tests.integration.snapshot import refused


def config(**changes):
    """Change properties of config.json; a value of None removes one."""

    def change(bundle):
        with open(f"{bundle}/config.json") as file:
            document = json.load(file)
        document.update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del document[key]
        with open(f"{bundle}/config.json", "w") as file:
            json.dump(document, file)

    return change


def content(data):
    def change(bundle):
        with open(f"{bundle}/config.json", "wb") as file:
            file.write(data)

    return change


def args(*words):
    return config(process={"cwd": "/", "args": list(words)})


def annotation(key, value):
    return config(annotations={"remoteproc.name": "m3-0", key: value})


def firmware(make):
    """Put something else in the firmware's place."""

    def change(bundle):
        path = f"{bundle}/rootfs/firmware.elf"
        os.unlink(path)
        make(path)

    return change


def without_config(bundle):
    os.unlink(f"{bundle}/config.json")


def config_is(make):
    def change(bundle):
        os.unlink(f"{bundle}/config.json")
        make(f"{bundle}/config.json")

    return change


def empty(path):
    open(path, "w").close()


def endless(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(os.path.dirname(path))  # an address has 107 bytes
        made.bind(os.path.basename(path))
        os.chdir(here)


def link(target):
    return lambda path: os.symlink(target, path)


CASES = {
    "no config.json": (without_config, ["config.json does not exist", "--bundle"]),
    "config.json is a directory": (config_is(os.mkdir), ["config.json", "directory"]),
    "config.json is a FIFO": (config_is(os.mkfifo), ["config.json", "FIFO"]),
    "config.json is empty": (content(b""), ["config.json is not JSON", "line 1"]),
    "broken JSON": (content(b'{"process": {'), ["config.json is not JSON", "line 1 column"]),
    "no text": (content(b"\xff\xfe\x00"), ["config.json is not UTF-8 text"]),
    "nested without end": (content(b"[" * 200_000), ["config.json is nested too deeply"]),
    "endless": (config_is(endless), ["config.json is larger than"]),
    "a list": (content(b"[]"), ["the document must be an object"]),
    "a number": (content(b"7"), ["the document must be an object"]),
    "no process": (config(process=None), ["there is no process", "process.args"]),
    "process is a text": (config(process="hello"), ["process must be an object"]),
    "no args": (config(process={"cwd": "/"}), ["there is no process.args", "hello.elf"]),
    "args is a text": (config(process={"args": "a"}), ["process.args must be a list"]),
    "args is empty": (args(), ["process.args names no firmware", "ENTRYPOINT"]),
    "args has two": (args("a", "b"), ["firmware takes no arguments", '["a", "b"]']),
    "args has a number": (args(7), ["process.args[0] must be a string"]),
    "args has nothing": (args(""), ["ENTRYPOINT or CMD is an empty word"]),
    "args has a NUL": (args("a\0b"), ["process.args[0] must not contain a NUL"]),
    "args has no character": (args("\ud800"), ["process.args[0] must be Unicode"]),
    "cwd is a number": (
        config(process={"cwd": 1, "args": ["a"]}),
        ["process.cwd must be a string"],
    ),
    "no root": (config(root=None), ["there is no root", "rootfs"]),
    "no root.path": (config(root={}), ["there is no root.path"]),
    "root.path is nowhere": (config(root={"path": "gone"}), ["/gone", "(ENOENT)", "root.path"]),
    "root.path is a file": (config(root={"path": "config.json"}), ["(ENOTDIR)", "root.path"]),
    "annotations is a list": (config(annotations=["x"]), ["annotations must be an object"]),
    "an annotation is a number": (annotation("x", 7), ["annotations['x'] must be a string"]),
    "an unknown annotation": (annotation("remoteproc.nmae", "x"), ["remoteproc.nmae", "known are"]),
    "no processor's name": (annotation("remoteproc.name", ""), ["remoteproc.name is empty"]),
    "an unknown processor": (annotation("remoteproc.name", "m7"), ["processor m7", "m3-0", "m3-1"]),
    "a bad digest": (annotation("remoteproc.firmware-digest", "md5:1"), ["sha256:", "hexadecimal"]),
    "a bad console": (annotation("remoteproc.console", "loud"), ["'loud' is unknown", "trace"]),
    "firmware is missing": (firmware(lambda path: None), ["/firmware.elf is not in the image"]),
    "firmware is a directory": (firmware(os.mkdir), ["is a directory, not a regular file"]),
    "firmware is a FIFO": (firmware(os.mkfifo), ["is a FIFO, not a regular file"]),
    "firmware is a socket": (firmware(unix_socket), ["is a socket, not a regular file"]),
    "firmware is empty": (firmware(empty), ["firmware /firmware.elf is empty"]),
    "firmware is endless": (firmware(endless), ["over the limit of", "strip it"]),
    "a dangling link": (firmware(link("v2.elf")), ["links to v2.elf", "has no /v2.elf"]),
    "a circle of links": (firmware(link("firmware.elf")), ["too many symbolic links"]),
    "an absolute link out": (
        firmware(link("/etc/shadow")),
        ["links to /etc/shadow", "has no /etc"],
    ),
    "a relative link out": (firmware(link("../../../../etc/shadow")), ["has no /etc"]),
    "an entry point out": (args("../../etc/hostname"), ["climbs out of the image's root"]),
    "a very long entry point": (args("a/" * 4000), ["File name too long"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bundle_that_cannot_run_is_refused_in_one_line(backend, bundle, case):
    change, says = CASES[case]
    change(bundle)
    line = refused(
        backend, "create", "--bundle", bundle, "pump", says=says, watch=[bundle], timeout=20
    )
    assert "/etc/shadow:" not in line and "root:" not in line


def test_a_bundle_that_is_not_there(backend):
    refused(
        backend, "create", "--bundle", "/nowhere", "pump", says=["/nowhere/config.json", "exist"]
    )


def test_a_bundle_that_is_a_file(backend, bundle):
    where = f"{bundle}/config.json"
    refused(backend, "create", "--bundle", where, "pump", says=[where, "directory"], watch=[bundle])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make devices")
def test_firmware_that_is_a_device(backend, bundle):
    firmware(lambda path: os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5)))(bundle)
    says = ["is a character device, not a regular file"]
    refused(backend, "create", "--bundle", bundle, "pump", says=says)


def test_properties_without_meaning_for_firmware_are_ignored(backend, bundle):
    """runtime-spec config.md#extensibility: unknown properties must be ignored."""
    config(hostname="x", mounts=[{"destination": "/proc"}], wind={"speed": 7})(bundle)
    assert backend.command("create", "--bundle", bundle, "pump").code == 0


def test_what_is_ignored_is_said_to_those_who_debug(runtime):
    process = {"args": ["firmware.elf"], "cwd": "/", "env": ["A=1"], "user": {"uid": 5}}
    linux = {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}, "resources": {"devices": [{}]}}
    runtime.bundle(process=process, linux=linux, root={"path": "rootfs", "readonly": True})
    assert runtime.create().stderr == ""
    runtime.delete()
    said = runtime.run("--debug", "create", "--bundle", f"{runtime.place}/bundle", "c1").stderr
    assert said == (
        "remoteproc-runtime: ignored, since firmware has none: process.env, process.user, "
        "root.readonly, linux.seccomp, linux.resources.devices\n"
    )
