"""What engines and operators write: config.json and its annotations, and YAML files."""

from __future__ import annotations

import json
import os
import tempfile

from adapters.config import yaml_node as yaml_node  # imported here to be instrumented
from adapters.encoding import light_json
from adapters.images.split_image import parts
from adapters.isolation.cgroup_limits import v2_settings
from adapters.isolation.hierarchies import directory_of
from adapters.oci import linux_section
from adapters.oci.bundle import read_bundle, read_process
from adapters.sim.board_file import parse_board
from adapters.sim.spec import ProcessorSpec
from bootstrap.config_file import parse_config
from domain.annotations import (
    PREFIX,
    drop_remoteproc_annotations,
    known,
    read_annotations,
)
from domain.errors import InvalidRequest
from domain.hooks import KINDS
from tests.fuzz.target import target

_BUNDLE = tempfile.TemporaryDirectory(prefix="fuzz-")  # Atheris leaves it: run.py sweeps
_CONFIG = f"{_BUNDLE.name}/config.json"


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


@target(1 << 13, ValueError, RecursionError)
def light_json_text(data: bytes) -> None:
    """The light reader and writer do what the json package does."""
    try:
        expected = json.loads(data.decode(errors="surrogatepass"))
    except (ValueError, RecursionError) as error:
        try:
            light_json.loads(data)
        except type(error):
            return
        raise AssertionError("the json package refuses it") from error
    found = light_json.loads(data)
    assert repr(found) == repr(expected)  # NaN is not equal to itself
    if "nan" not in repr(found) and "inf" not in repr(
        found
    ):  # the light writer takes no such number
        assert light_json.dumps(found) == json.dumps(expected)
        pretty = json.dumps(expected, indent=2, ensure_ascii=False)
        shown = light_json.dumps_for_people(found)
        assert repr(json.loads(shown)) == repr(expected)
        assert all(line.isprintable() for line in shown.split("\n"))
        assert shown == pretty or not all(line.isprintable() for line in pretty.split("\n"))


@target(1 << 13, InvalidRequest)
def config_json(data: bytes) -> None:
    """A request that is accepted has texts that Linux takes, and numbers within their bounds."""
    with open(_CONFIG, "wb") as file:
        file.write(data)
    request = read_bundle("c1", _BUNDLE.name)
    assert request.rootfs.startswith("/") and os.path.normpath(request.rootfs) == request.rootfs
    _plain(request.rootfs, request.cwd, request.entry)
    _plain(*request.annotations, *request.annotations.values())
    assert all(0 <= number <= 0xFFFF for number in request.size)
    for kind, hooks in request.hooks.items():
        assert kind in KINDS and hooks
        for hook in hooks:
            assert hook.path.startswith("/")
            _plain(hook.path, *hook.args, *hook.env)
    config = request.linux_config
    _plain(config.hostname, config.cgroup)
    for namespace in config.namespaces:
        assert namespace.kind in linux_section.NAMESPACES
        assert namespace.path[:1] in ("", "/")
    for mapping in (*config.users, *config.groups):
        assert all(0 <= number <= 1 << 32 for number in mapping)
    for limit in config.limits.values():
        assert limit and (isinstance(limit, str) or -1 <= limit < 1 << 64)
    for rlimit in config.rlimits:
        assert -1 <= rlimit.soft < 1 << 64 and -1 <= rlimit.hard < 1 << 64
    directory = directory_of(config.cgroup)
    assert directory.startswith("/") and os.path.normpath(directory) == directory
    assert all(value.split() for _, value in v2_settings(config.limits).values())
    read_annotations(request.annotations)


@target(1 << 12, InvalidRequest)
def process_json(data: bytes) -> None:
    """The file that `exec --process` reads."""
    with open(_CONFIG, "wb") as file:
        file.write(data)
    args, terminal = read_process(_CONFIG)
    _plain(*args)
    assert isinstance(terminal, bool)


def _plain(*texts: str) -> None:
    """Assert that Linux takes these as names, paths or arguments."""
    for text in texts:
        assert isinstance(text, str) and "\0" not in text
        text.encode()


@target(1 << 11, InvalidRequest)
def container_annotations(data: bytes) -> None:
    """What is accepted are known values only; each line is a key, `=` and a value."""
    lines = [line.partition("=") for line in _text(data).split("\n")]
    given = {key: value for key, _, value in lines}
    rest = drop_remoteproc_annotations(given)
    assert rest.items() <= given.items()
    assert not any(key.startswith(PREFIX) for key in rest)
    options = read_annotations(given)
    assert options.recovery in ("container", "kernel")
    assert options.coredump in ("disabled", "enabled")
    assert options.attached in ("", "take", "keep", "replace", "borrow")
    assert options.console in ("trace", "rpmsg", "none") or (
        options.console.startswith("/dev/tty") and "/" not in options.console[5:]
    )
    assert options.digest in given.values() or not options.digest
    assert options.name in given.values() or not options.name
    if not any(key.startswith(PREFIX) for key in given):
        assert options == read_annotations({})
    assert options == read_annotations({key: given[key] for key in sorted(given)})
    assert all(key.startswith(PREFIX) for key in known())


@target(1 << 12, InvalidRequest)
def board_file(data: bytes) -> None:
    """A board that is accepted passes through the cache, and its memories do not overlap."""
    board = parse_board(_text(data), "/board.yaml")
    assert board.processors
    names = [spec.name for spec in board.processors]
    assert len(set(names)) == len(names)
    for spec in board.processors:
        assert ProcessorSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
        _plain(spec.name, spec.machine, spec.generic, *spec.options)
        assert spec.name.isprintable() and "/" not in spec.name
        end = 0
        for region in sorted(spec.memory, key=lambda region: region.address):
            assert end <= region.address and region.size > 0
            end = region.address + region.size
        assert end <= 1 << 64


@target(1 << 12, InvalidRequest)
def config_file(data: bytes) -> None:
    """The settings that are accepted pass through the cache."""
    values = parse_config(_text(data), "/config.yaml")
    assert json.loads(json.dumps(values)) == values
    assert values.get("backend", "sysfs") in ("sysfs", "sim")


@target(1 << 13)
def split_image(data: bytes) -> None:
    """The parts that an `.mdt` file names are few, and have names and places of their kind."""
    found = parts(data)
    assert len(found) <= 100 and len({part.suffix for part in found}) == len(found)
    assert all(0 <= number < 1 << 32 for part in found for number in part[1:])
