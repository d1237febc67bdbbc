"""Proves what each annotation takes, that an unknown one under the prefix is refused by name, and
that foreign ones do not matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.annotations import ProcessorOptions, drop_remoteproc_annotations, read_annotations
from domain.errors import InvalidRequest

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


def test_processors_by_container_are_for_pods_only():
    with pytest.raises(InvalidRequest, match=r"remoteproc\.name\.left"):
        read_annotations(POD)
    with pytest.raises(InvalidRequest, match="is empty"):
        read_annotations({"remoteproc.name.left": "", NAME: "left"})


def test_ours_can_be_left_out():
    assert drop_remoteproc_annotations({**POD, NAME: "left", "remoteproc": "x"}) == {
        NAME: "left",
        "remoteproc": "x",
    }
