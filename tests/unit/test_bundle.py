"""Proves that config.json is read as the specification says, that each mistake is named by its
property, and that no content makes the reader fail in another way."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.oci.bundle import read_bundle
from adapters.oci.commands import CommandContext, spec
from adapters.oci.exit_codes import LogTarget
from adapters.oci.render import as_json
from domain.creation import CreateRequest
from domain.errors import AlreadyExists, InvalidRequest, NotFound, RemoteprocError

GOOD = {
    "ociVersion": "1.2.1",
    "root": {"path": "rootfs"},
    "process": {"cwd": "/fw", "args": ["hello.elf"]},
    "annotations": {"remoteproc.name": "m4", "x": ""},
}


@pytest.fixture
def bundle(tmp_path):
    def make(config):
        data = config if isinstance(config, bytes) else json.dumps(config).encode()
        (tmp_path / "config.json").write_bytes(data)
        return str(tmp_path)

    return make


def changed(path, value):
    """Return GOOD with one property replaced, or removed by `...`."""
    config = json.loads(json.dumps(GOOD))
    *parents, last = path
    place = config
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return config


def test_a_good_one(bundle):
    place = bundle(GOOD)
    assert read_bundle("c1", place) == CreateRequest(
        id="c1",
        bundle=place,
        rootfs=f"{place}/rootfs",
        cwd="/fw",
        entry="hello.elf",
        annotations={"remoteproc.name": "m4", "x": ""},
    )


@pytest.mark.parametrize(
    ("path", "value", "field", "expected"),
    [
        (["root", "path"], "/abs/./rootfs/", "rootfs", "/abs/rootfs"),
        (["root", "path"], "a/../b", "rootfs", "{bundle}/b"),
        (["root", "path"], ".", "rootfs", "{bundle}"),
        (["process", "cwd"], ..., "cwd", "/"),
        (["process", "cwd"], None, "cwd", "/"),
        (["annotations"], ..., "annotations", {}),
        (["annotations"], None, "annotations", {}),
        (["process", "args"], ["/a b/ü.elf"], "entry", "/a b/ü.elf"),
        (["linux"], {"seccomp": 7}, "entry", "hello.elf"),
        (["mounts"], "nonsense that means nothing here", "entry", "hello.elf"),
        (["process", "env"], 5, "entry", "hello.elf"),
    ],
)
def test_what_may_vary(bundle, path, value, field, expected):
    place = bundle(changed(path, value))
    if isinstance(expected, str):
        expected = expected.format(bundle=place)
    assert getattr(read_bundle("c1", place), field) == expected


def test_a_relative_bundle(bundle, monkeypatch):
    place = bundle(GOOD)
    monkeypatch.chdir(os.path.dirname(place))
    request = read_bundle("c1", os.path.basename(place))
    assert (request.bundle, request.rootfs) == (place, f"{place}/rootfs")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["process"], ..., "there is no process"),
        (["process"], None, "there is no process"),
        (["process"], [], "process must be an object"),
        (["process"], "x", "process must be an object"),
        (["process", "args"], ..., "there is no process.args"),
        (["process", "args"], "hello.elf", "process.args must be a list"),
        (["process", "args"], {}, "process.args must be a list"),
        (["process", "args"], [], "process.args must be one firmware file, not 0 words"),
        (["process", "args"], ["a", "-v"], "process.args must be one firmware file, not 2 words"),
        (["process", "args"], [""], "process.args[0] is empty"),
        (["process", "args"], [7], "process.args[0] must be a string"),
        (["process", "args"], [None], "process.args[0] must be a string"),
        (["process", "args"], ["a\0b"], "process.args[0] must not contain a NUL"),
        (["process", "args"], ["\udc80.elf"], "process.args[0] must be Unicode text"),
        (["process", "cwd"], 7, "process.cwd must be a string"),
        (["process", "cwd"], True, "process.cwd must be a string"),
        (["process", "cwd"], "/\0", "process.cwd must not contain a NUL"),
        (["root"], ..., "there is no root"),
        (["root"], "rootfs", "root must be an object"),
        (["root", "path"], ..., "there is no root.path"),
        (["root", "path"], ["rootfs"], "root.path must be a string"),
        (["root", "path"], "a\0", "root.path must not contain a NUL"),
        (["annotations"], ["remoteproc.name"], "annotations must be an object"),
        (["linux"], {"namespaces": 7}, "linux.namespaces must be a list"),
        (["linux"], {"namespaces": [{}]}, "there is no linux.namespaces[0].type"),
        (["linux"], {"namespaces": [{"type": "x"}]}, "linux.namespaces[0] is of unknown type 'x'"),
        (
            ["linux"],
            {"namespaces": [{"type": "pid"}] * 2},
            "linux.namespaces[1] names pid a second time",
        ),
        (
            ["linux"],
            {"namespaces": [{"type": "pid", "path": "x"}]},
            "linux.namespaces[0].path must be an absolute path",
        ),
        (["linux"], {"cgroupsPath": []}, "linux.cgroupsPath must be a string"),
        (
            ["linux"],
            {"resources": {"pids": {"limit": True}}},
            "linux.resources.pids.limit must be a whole number",
        ),
        (["process", "terminal"], 1, "process.terminal must be true or false"),
        (
            ["process", "oomScoreAdj"],
            1001,
            "process.oomScoreAdj is 1001: it must be from -1000 to 1000",
        ),
        (["process", "rlimits"], [{"type": "RLIMIT_CPU"}], "there is no process.rlimits[0].soft"),
        (["hooks"], {"prestart": [{}]}, "there is no hooks.prestart[0].path"),
        (
            ["hooks"],
            {"poststop": [{"path": "rm"}]},
            "hooks.poststop[0].path must be an absolute path",
        ),
        (["annotations", "x"], 1, "annotations['x'] must be a string"),
        (["annotations", "x"], None, "annotations['x'] must be a string"),
        (["annotations", "x"], {"y": "z"}, "annotations['x'] must be a string"),
        (["annotations", "x"], "\ud800", "annotations['x'] must be Unicode text"),
        (["annotations", "\ud800"], "x", "annotations['\\ud800'] must be Unicode text"),
        (["annotations", "a\nb"], 1, "annotations['a\\nb'] must be a string"),
    ],
)
def test_what_is_wrong_is_named(bundle, path, value, message):
    place = bundle(changed(path, value))
    with pytest.raises(InvalidRequest) as refused:
        read_bundle("c1", place)
    assert refused.value.message == f"{place}/config.json: {message}"
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"process": {}', "line 1 column"),
        (b"[]", "the document must be an object"),
        (b"null", "the document must be an object"),
        (b"7", "the document must be an object"),
        (b"\xff\xfe\xfa", "is not UTF-8 text"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b" " * (8 << 20) + b"{}", "is larger than 8 MiB"),
    ],
)
def test_what_is_no_config_at_all(bundle, data, message):
    place = bundle(data)
    with pytest.raises(InvalidRequest) as refused:
        read_bundle("c1", place)
    assert f"{place}/config.json" in refused.value.message
    assert message in refused.value.message


def test_no_bundle(tmp_path):
    with pytest.raises(NotFound, match="--bundle"):
        read_bundle("c1", str(tmp_path))


def test_a_directory_in_its_place(tmp_path):
    (tmp_path / "config.json").mkdir()
    with pytest.raises(InvalidRequest, match="Is a directory"):
        read_bundle("c1", str(tmp_path))


def no_lifecycle(config, root):
    raise AssertionError("spec needs no use case")


def test_a_written_spec_is_read(tmp_path):
    context = CommandContext(no_lifecycle, LogTarget())
    spec.run(context, str(tmp_path), "blink.elf", "m4")
    request = read_bundle("c1", str(tmp_path))
    assert (request.entry, request.annotations) == ("blink.elf", {"remoteproc.name": "m4"})
    with pytest.raises(AlreadyExists):
        spec.run(context, str(tmp_path), "blink.elf", "m4")


text = st.text(st.characters(exclude_categories=[]), max_size=8)  # lone surrogates, too
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
wild = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3)
)
strings = text | wild
like_a_config = st.fixed_dictionaries(
    {},
    optional={
        "root": st.fixed_dictionaries({}, optional={"path": strings}) | wild,
        "process": st.fixed_dictionaries(
            {}, optional={"args": st.lists(strings, min_size=1, max_size=2) | wild, "cwd": strings}
        )
        | wild,
        "annotations": st.dictionaries(text, strings, max_size=3) | wild,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(like_a_config | wild)
def test_any_json(bundle, config):
    try:
        request = read_bundle("c1", bundle(config))
    except RemoteprocError as refusal:
        assert str(refusal).isprintable()
        return
    # What is taken can be shown: no output of ours fails on it later.
    as_json(request._asdict()).encode()
    assert "\0" not in request.rootfs + request.entry + request.cwd
    assert os.path.isabs(request.rootfs)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_any_bytes(bundle, data):
    with pytest.raises(RemoteprocError):
        read_bundle("c1", bundle(data))


@pytest.mark.parametrize(
    ("args", "annotations"),
    [
        (["/pause"], {"io.kubernetes.cri.container-type": "sandbox", "remoteproc.name": "m4"}),
        (["a", "b"], {"io.kubernetes.cri-o.ContainerType": "sandbox"}),
        (["/pause"], {}),
        (["/catatonit", "-P"], {}),
    ],
)
def test_a_sandbox_has_no_firmware(bundle, args, annotations):
    config = changed(["process", "args"], args)
    config["annotations"] = annotations
    assert read_bundle("c1", bundle(config)).entry == ""
