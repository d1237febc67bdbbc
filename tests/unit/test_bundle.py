"""Proves that config.json is read as the specification says, that each mistake is named by its
property, and that no content makes the reader fail in another way."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.oci.bundle import read_bundle
from adapters.oci.commands import CommandContext, spec
from adapters.oci.exit_codes import LogTarget
from adapters.oci.render import as_json
from domain.creation import CreateRequest
from domain.errors import AlreadyExists, InvalidRequest, NotFound, RemoteprocError
from domain.mounts import BundleMount

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
        (["process", "args"], ["/sbin/docker-init", "--", "/x.elf"], "entry", "/x.elf"),
        (["process", "args"], ["/run/podman-init", "--", "x.elf"], "entry", "x.elf"),
        (["process", "args"], ["/sbin/tini", "--", "x.elf"], "entry", "x.elf"),
        (["process", "args"], ["/sbin/docker-init"], "entry", "/sbin/docker-init"),
        (["mounts"], None, "mounts", ()),
        (
            ["mounts"],
            [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/a", "type": "bind", "source": "/s", "options": ["rbind", "ro"]},
                {"destination": "/r", "type": "bind", "source": "/s", "options": ["rbind", "rro"]},
                {"destination": "/b", "source": "s", "options": ["bind"]},
                {"destination": "/c", "type": "tmpfs", "options": ["noexec"]},
                {"destination": "/d", "type": "tmpfs", "options": ["tmpcopyup"]},
                {
                    "destination": "/o",
                    "type": "overlay",
                    "source": "/x",
                    "options": ["lowerdir=/l:/m", "upperdir=/u", "workdir=/w", "private"],
                },
                {"destination": "e", "type": "none", "source": "/s", "options": ["rbind"]},
            ],
            "mounts",
            (
                BundleMount("/proc", kind="proc"),
                BundleMount("/a", "/s", read_only=True),
                BundleMount("/r", "/s", read_only=True),
                BundleMount("/b", "{bundle}/s"),
                BundleMount("/c", kind="tmpfs"),
                BundleMount("/o", kind="overlay", layers="/u:/l:/m"),
                BundleMount("e", "/s"),
            ),
        ),
        (["process", "env"], 5, "entry", "hello.elf"),
    ],
)
def test_what_may_vary(bundle, path, value, field, expected):
    place = bundle(changed(path, value))
    if isinstance(expected, str):
        expected = expected.format(bundle=place)
    if field == "mounts":
        expected = tuple(m._replace(source=m.source.format(bundle=place)) for m in expected)
    assert getattr(read_bundle("c1", place), field) == expected


@pytest.mark.parametrize(
    ("mounts", "proc"),
    [
        ([{"type": "proc", "destination": "/proc", "source": "proc"}], True),
        ([{"type": "bind", "destination": "/proc", "source": "/x"}], False),
        ([{"type": "proc", "destination": "/other", "source": "proc"}], False),
        ([], False),
    ],
)
def test_whether_proc_is_mounted(bundle, mounts, proc):
    place = bundle(changed(["mounts"], mounts))
    assert read_bundle("c1", place).linux_config.proc == proc


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["/bin/sh", "-c", "/hello.elf"],
         'image\'s ENTRYPOINT or CMD is in the shell form (["/bin/sh", "-c", "/hello.elf"]), and '
         'firmware has no shell; write the exec form, ENTRYPOINT ["/hello.elf"], and no CMD'),
        (["/bin/sh", "-c", "exec hello.elf -v"], 'write the exec form, ENTRYPOINT ["hello.elf"], '),
        (["sh", "-c"], 'write the exec form, ENTRYPOINT ["hello.elf"], and no CMD'),
        (["hello.elf", "-v", "a b", '"\t'],
         'firmware takes no arguments, but ENTRYPOINT and CMD are ["hello.elf", "-v", "a b", '
         '"\\"\\t"]; keep ENTRYPOINT ["hello.elf"] alone: no CMD, no words after the image'),
        (["/run/podman-init", "--", "a", "b"], 'ENTRYPOINT and CMD are ["a", "b"]; keep'),
        ([""], "ENTRYPOINT or CMD is an empty word: no such file or directory; write ENTRYPOINT"),
    ],
)  # fmt: skip
def test_words_for_people_who_write_dockerfiles(bundle, args, message):
    with pytest.raises(InvalidRequest) as caught:
        read_bundle("c1", bundle(changed(["process", "args"], args)))
    assert message in str(caught.value)
    assert "process.args" not in str(caught.value)


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
        (["process", "args"], [], "process.args names no firmware"),
        (["process", "args"], [7], "process.args[0] must be a string"),
        (["process", "args"], [None], "process.args[0] must be a string"),
        (["process", "args"], ["a\0b"], "process.args[0] must not contain a NUL"),
        (["process", "args"], ["\udc80.elf"], "process.args[0] must be Unicode text"),
        (["process", "cwd"], 7, "process.cwd must be a string"),
        (["process", "cwd"], True, "process.cwd must be a string"),
        (["process", "cwd"], "/\0", "process.cwd must not contain a NUL"),
        (["mounts"], "nonsense", "mounts must be a list"),
        (["mounts"], [{"source": "/a"}], "there is no mounts[0].destination"),
        (["mounts"], [{"destination": "/a", "type": "bind"}], "there is no mounts[0].source"),
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


def test_a_path_that_is_none():
    with pytest.raises(InvalidRequest, match="is no file name"):
        read_bundle("c1", "/a\0")


def no_lifecycle(config, root, _=""):
    raise AssertionError("spec needs no use case")


def test_a_written_spec_is_read(tmp_path):
    unused = (no_lifecycle, no_lifecycle, no_lifecycle)
    context = CommandContext(no_lifecycle, no_lifecycle, LogTarget(), *unused)
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


@settings(max_examples=300)
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


@given(st.binary())
def test_any_bytes(bundle, data):
    with pytest.raises(RemoteprocError):
        read_bundle("c1", bundle(data))


CRI = "io.kubernetes.cri"
CRIO = "io.kubernetes.cri-o"


@pytest.mark.parametrize(
    ("args", "annotations"),
    [
        (["/p"], {f"{CRI}.container-type": "sandbox", f"{CRI}.sandbox-id": "c1"}),
        (["a", "b"], {f"{CRIO}.ContainerType": "sandbox", f"{CRIO}.SandboxID": "c1"}),
        (["/pause"], {}),
        (["/catatonit", "-P"], {"io.container.manager": "libpod"}),
    ],
)
def test_a_sandbox_has_no_firmware(bundle, args, annotations):
    config = changed(["process", "args"], args)
    config["annotations"] = annotations
    assert read_bundle("c1", bundle(config)).entry == ""


def test_the_annotations_of_a_pod_do_not_reach_its_sandbox(bundle):
    config = changed(["annotations"], {"remoteproc.name": "m4"})
    config["annotations"] |= {f"{CRI}.container-type": "sandbox", f"{CRI}.sandbox-id": "c1"}
    assert "remoteproc.name" not in read_bundle("c1", bundle(config)).annotations


@pytest.mark.parametrize(
    ("args", "annotations"),
    [
        (["/hello.elf"], {f"{CRI}.container-type": "sandbox"}),
        (["/hello.elf"], {f"{CRI}.container-type": "sandbox", f"{CRI}.sandbox-id": "c2"}),
        (["/hello.elf"], {f"{CRIO}.ContainerType": "sandbox", f"{CRIO}.SandboxID": ""}),
        (["/hello.elf"], {f"{CRIO}.ContainerType": "sandbox", f"{CRI}.sandbox-id": "c1"}),
        (
            ["/hello.elf"],
            {
                f"{CRI}.container-type": "container",
                f"{CRI}.sandbox-id": "c1",
                f"{CRIO}.ContainerType": "sandbox",
                f"{CRIO}.SandboxID": "c1",
            },
        ),
        (["/pause"], {f"{CRI}.container-type": "sandbox"}),
        (["/pause"], {f"{CRI}.container-type": "container", f"{CRI}.sandbox-id": "c0"}),
        (["/pause"], {"remoteproc.name": "m4"}),
    ],
)
def test_an_image_cannot_pretend_to_be_a_sandbox(bundle, args, annotations):
    """An image knows the names of CRI's annotations, but not the container's id."""
    config = changed(["process", "args"], args)
    config["annotations"] = annotations
    assert read_bundle("c1", bundle(config)).entry == args[0]
