"""Proves that the operator's own annotations go before those of a bundle, on the command line."""

from __future__ import annotations

import json

import pytest

from tests.integration.oci import Runtime

PODMAN = {"io.container.manager": "libpod"}


@pytest.fixture
def runtime(tmp_path):
    runtime = Runtime(tmp_path)
    yield runtime
    runtime.run("delete", "--force", "c1")


def configure(runtime, entries):
    with open(f"{runtime.place}/config.yaml", "a") as file:
        file.write(f"processors: {json.dumps(entries)}\n")


def create(runtime, annotations, **settings):
    runtime.command += ["--annotations", annotations]
    return runtime.create(**settings)


def shown(runtime):
    return json.loads(runtime.run("state", "c1").stdout)["annotations"]


@pytest.mark.parametrize("given", [{}, {"remoteproc.name": "m3-0"}])
def test_the_operators_name_counts(runtime, given):
    runtime.bundle(annotations={**given, "a": "b"})
    create(runtime, "remoteproc.name=m3-2")
    assert shown(runtime)["remoteproc.name"] == "m3-2" and shown(runtime)["a"] == "b"


def test_several_and_those_that_need_leave(runtime):
    runtime.bundle(annotations=PODMAN)
    words = "remoteproc.name=m3-1,remoteproc.recovery=kernel"
    refused = create(runtime, words, check=False)
    assert refused.returncode == 1 and "recovery = kernel is not allowed for" in refused.stderr
    configure(runtime, {"m3-1": {"annotations": {"recovery": ["kernel"]}}})
    runtime.create()
    assert shown(runtime)["remoteproc.recovery"] == "kernel"


def test_what_podman_may_have_copied_is_refused_key_by_key(runtime):
    configure(runtime, {"*": {"image-annotations": "refuse"}})
    runtime.bundle(annotations={**PODMAN, "remoteproc.console": "none", "remoteproc.name": "m3-1"})
    refused = create(runtime, "remoteproc.name=m3-1", check=False)
    assert refused.returncode == 1
    assert "annotation remoteproc.console may come from the image" in refused.stderr
    assert "podman --runtime-flag annotations=remoteproc.console=none" in refused.stderr
    create(runtime, "remoteproc.name=m3-1,remoteproc.console=trace")


@pytest.mark.parametrize("text", ["m3-1", "=m3-1", "remoteproc.name=m3-1,", ","])
def test_what_is_no_annotation_is_refused(runtime, text):
    runtime.bundle()
    refused = create(runtime, text, check=False)
    assert refused.returncode == 1 and "is no annotation; write them as" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_pods_sandbox_gets_none(runtime):
    runtime.bundle(process={"args": ["/pause"], "cwd": "/"}, annotations={})
    create(runtime, "remoteproc.name=m3-1")
    assert shown(runtime)["remoteproc.name"] == ""
