"""Proves what each annotation takes, that an unknown one under the prefix is refused by name, and
that foreign ones do not matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.annotations import (
    ProcessorOptions,
    drop_remoteproc_annotations,
    how_to_name,
    misspelt,
    read_annotations,
)
from domain.errors import InvalidRequest
from domain.processor import OFFLINE, ProcessorInfo
from domain.selection import choose

DIGEST = "sha256:" + "0123456789abcdef" * 4


def test_nothing_asked_for():
    assert read_annotations({}) == ProcessorOptions("", "trace", "container", "disabled", "", "")


def test_foreign_annotations_are_ignored():
    foreign = {
        "io.kubernetes.cri.container-type": "x",
        "remoteproc": "x",
        "": "",
        "Remoteproc.": "",
    }
    assert read_annotations(foreign) == ProcessorOptions()


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("name", "name", "m4"),
        ("name", "name", "remoteproc0"),
        ("name", "name", "imx-rproc"),
        ("console", "console", "trace"),
        ("console", "console", "rpmsg"),
        ("console", "console", "none"),
        ("console", "console", "/dev/ttyS1"),
        ("console", "console", "/dev/ttymxc2"),
        ("recovery", "recovery", "container"),
        ("recovery", "recovery", "kernel"),
        ("coredump", "coredump", "disabled"),
        ("coredump", "coredump", "enabled"),
        ("firmware-digest", "digest", DIGEST),
        ("attached", "attached", "take"),
        ("attached", "attached", "keep"),
    ],
)
def test_good_values(key, field, value):
    assert read_annotations({f"remoteproc.{key}": value}) == ProcessorOptions(**{field: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        *(("console", v) for v in ("", "uart", "Trace", "trace ", "/dev/ttyS1\n", "/dev/mem")),
        *(("console", v) for v in ("/dev/tty", "/dev/tty/../mem", "/dev/ttyS1/x", "ttyS1")),
        *(("recovery", v) for v in ("", "none", "enabled")),
        *(("coredump", v) for v in ("", "yes", "inline")),
        *(("attached", v) for v in ("", "refuse", "stop")),
        *(
            ("firmware-digest", v)
            for v in ("", "sha256:", DIGEST[:-1], DIGEST + "0", DIGEST + "\n")
        ),
        *(("firmware-digest", v) for v in (DIGEST.upper(), "md5:" + "0" * 32, DIGEST[7:])),
    ],
)
def test_bad_values(key, value):
    with pytest.raises(InvalidRequest) as refused:
        read_annotations({f"remoteproc.{key}": value})
    assert f"remoteproc.{key}" in refused.value.message
    assert refused.value.hint
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("key", ["remoteproc.nmae", "remoteproc.", "remoteproc.Name"])
def test_unknown_keys(key):
    with pytest.raises(InvalidRequest) as refused:
        read_annotations({key: "x"})
    assert repr(key) in refused.value.message
    assert "remoteproc.name" in refused.value.hint


KEYS = ["name", "console", "recovery", "coredump", "firmware-digest", "attached"]


@given(
    st.dictionaries(
        st.sampled_from(KEYS).map("remoteproc.{}".format) | st.text(),
        st.sampled_from(["m4", "trace", "kernel", "enabled", "take", DIGEST]) | st.text(),
    )
)
def test_anything_is_read_or_refused_on_one_line(annotations):
    try:
        assert isinstance(read_annotations(annotations), ProcessorOptions)
    except InvalidRequest as refusal:
        assert str(refusal).isprintable()


POD = {"remoteproc.name.left": "m4", "remoteproc.name.right": "dsp", "remoteproc.console": "none"}
NAME = "io.kubernetes.cri.container-name"


@pytest.mark.parametrize(("container", "name"), [("left", "m4"), ("right", "dsp"), ("other", "")])
def test_each_container_of_a_pod_finds_its_own_processor(container, name):
    for key in (NAME, "io.kubernetes.container.name"):  # containerd's, CRI-O's
        assert read_annotations({**POD, key: container}) == ProcessorOptions(
            name=name, console="none"
        )
    everybody = {**POD, NAME: container, "remoteproc.name": "common"}
    assert read_annotations(everybody).name == (name or "common")


@pytest.mark.parametrize(
    ("key", "field", "own", "common"),
    [
        ("name", "name", "m4", "m7"),
        ("mcu", "name", "m4", "m7"),
        ("console", "console", "none", "rpmsg"),
        ("recovery", "recovery", "kernel", "container"),
        ("coredump", "coredump", "enabled", "disabled"),
        ("firmware-digest", "digest", DIGEST, "sha256:" + "f" * 64),
        ("attached", "attached", "keep", "take"),
    ],
)
def test_each_annotation_has_a_form_for_one_container(key, field, own, common):
    asked = {f"remoteproc.{key}.left": own, f"remoteproc.{key}": common}
    for order in (asked, dict(reversed(asked.items()))):
        left, right = (read_annotations({**order, NAME: each}) for each in ("left", "right"))
        assert (getattr(left, field), getattr(right, field)) == (own, common)


def test_a_bad_value_for_one_container_is_that_containers():
    asked = {"remoteproc.console.left": "uart", "remoteproc.name": "m4"}
    assert read_annotations({**asked, NAME: "right"}).name == "m4"
    with pytest.raises(InvalidRequest, match=r"annotation remoteproc\.console\.left 'uart'"):
        read_annotations({**asked, NAME: "left"})
    with pytest.raises(InvalidRequest, match=r"'remoteproc\.nmae\.left' is unknown"):
        read_annotations({"remoteproc.nmae.left": "m4", NAME: "right"})
    both = {"remoteproc.name.left": "m4", "remoteproc.mcu.left": "m7", NAME: "left"}
    with pytest.raises(InvalidRequest, match="and another one"):
        read_annotations(both)


def test_why_a_container_of_a_pod_names_no_processor():
    typing_error = {"remoteproc.name.mian": "m4", "remoteproc.console": "none", NAME: "main"}
    assert how_to_name(typing_error) == (
        "this container is main; annotations name processors for mian"
    )
    assert 'pod_annotations = ["remoteproc.*"]' in how_to_name({NAME: "main"})
    for others in ({}, {"remoteproc.console": "none", NAME: "main"}):
        assert how_to_name(others) == "name one with the annotation remoteproc.name"
    board = [ProcessorInfo(name, name, OFFLINE) for name in ("m4", "m7")]
    with pytest.raises(InvalidRequest, match="this container is main"):
        choose(board, "", typing_error)


@pytest.mark.parametrize("name", ["mian", "mai", "mainn", "maim", "ain"])
def test_a_mistyped_container_is_warned_of_where_it_seems_to_be_meant(name):
    asked = {f"remoteproc.console.{name}": "none", NAME: "main"}
    words = f"annotation remoteproc.console.{name} is for a container {name}: this one is main"
    assert misspelt(asked) == (words,)
    assert misspelt({**asked, "remoteproc.console.main": "trace"}) == ()
    assert misspelt({**asked, "remoteproc.attached.main": "keep"}) == (words,)
    assert misspelt({key: value for key, value in asked.items() if key != NAME}) == ()


@pytest.mark.parametrize(
    ("name", "own"), [("left", "right"), ("left-1", "left-2"), ("left", "left2"), ("a", "bcd")]
)
def test_the_other_containers_of_a_pod_are_no_mistake(name, own):
    assert misspelt({f"remoteproc.console.{name}": "none", NAME: own}) == ()


def test_processors_by_container_are_for_pods_only():
    with pytest.raises(InvalidRequest, match=r"remoteproc\.name\.left"):
        read_annotations(POD)
    with pytest.raises(InvalidRequest, match="is empty"):
        read_annotations({"remoteproc.name.left": "", NAME: "left"})


def test_the_first_name_of_the_name_is_understood():
    assert read_annotations({"remoteproc.mcu": "m4"}).name == "m4"
    assert read_annotations({"remoteproc.mcu": "m4", "remoteproc.name": "m4"}).name == "m4"
    with pytest.raises(
        InvalidRequest, match=r"names 'm7', and another one 'm4'; keep remoteproc.name"
    ):
        read_annotations({"remoteproc.name": "m4", "remoteproc.mcu": "m7"})


def test_ours_can_be_left_out():
    assert drop_remoteproc_annotations({**POD, NAME: "left", "remoteproc": "x"}) == {
        NAME: "left",
        "remoteproc": "x",
    }
