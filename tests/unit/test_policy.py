"""Proves whom the node's policy lets have a processor, and what a container may ask for."""

from __future__ import annotations

import pytest

from domain.annotations import ProcessorOptions
from domain.errors import Forbidden
from domain.firmware import FirmwareImage
from domain.policy import NodePolicy, ProcessorRules, check_digest
from domain.processor import OFFLINE, ProcessorInfo

M4 = ProcessorInfo("m4", "remoteproc0", OFFLINE, "", "")
POD = "io.kubernetes.cri.sandbox-namespace"
PODMAN = {"io.container.manager": "libpod"}


def allowed(entries, annotations=None, namespace="", confirmed=(), users=(), **options):
    """Return whether the policy allows it; the refusal names the processor."""
    policy = NodePolicy(entries, namespace, lambda: [*users, "1000"])
    try:
        policy.check_request(M4, ProcessorOptions(**options), annotations or {}, confirmed)
    except Forbidden as refusal:
        assert "m4" in str(refusal) and refusal.hint and str(refusal).isprintable()
        return False
    return True


# --- who ------------------------------------------------------------------------------------


def test_without_a_word_everybody_may_have_a_processor():
    assert allowed({}) and allowed({}, namespace="moby") and allowed({"m7": {"users": ["root"]}})


def test_the_most_exact_entry_counts_key_by_key():
    every, name, device = {"users": ["x"], "require": "digest"}, {"users": ["y"]}, {"users": ["z"]}
    rules = NodePolicy({"*": every, "m4": name}, "", list).rules(M4)
    assert (rules.users, rules.require) == (["y"], "digest")
    rules = NodePolicy({"remoteproc0": device, "*": every, "m4": name}, "", list).rules(M4)
    assert (rules.users, rules.require) == (["z"], "digest")
    cm4 = M4._replace(parent="imx8qm-cm4-1")
    rules = NodePolicy({"m4": name, "imx8qm-cm4-1": device}, "", list).rules(cm4)
    assert rules.users == ["z"]


@pytest.mark.parametrize("named", ["1000", "plant"])
def test_a_user_by_name_or_id(named):
    assert allowed({"m4": {"users": [named]}}, users=["plant"])
    assert not allowed({"m4": {"users": [named]}}, namespace="moby", users=["plant"])
    assert not allowed({"m4": {"users": ["root", "100"]}}, users=["plant"])


def test_a_namespace_of_containerd():
    entries = {"m4": {"containerd_namespaces": ["moby", "plant"]}}
    assert allowed(entries, namespace="plant")
    assert not allowed(entries, namespace="default")
    assert not allowed(entries)  # the command line


def test_a_namespace_of_kubernetes():
    entries = {"m4": {"kubernetes_namespaces": ["plant"]}}
    assert allowed(entries, {POD: "plant"}, "k8s.io")
    assert not allowed(entries, {POD: "default"}, "k8s.io")
    assert not allowed(entries, {}, "k8s.io")
    assert allowed({"m4": {"containerd_namespaces": ["k8s.io"]}}, {POD: "any"}, "k8s.io")


@pytest.mark.parametrize("namespace", ["", "moby", "default", "k8s.io2"])
def test_a_pods_namespace_is_believed_of_cri_only(namespace):
    entries = {"m4": {"kubernetes_namespaces": ["plant"]}}
    assert not allowed(entries, {POD: "plant"}, namespace)


def test_one_of_several_is_enough():
    entries = {"m4": {"users": ["plant"], "containerd_namespaces": ["moby"]}}
    assert allowed(entries, users=["plant"]) and allowed(entries, namespace="moby")
    assert not allowed(entries) and not allowed(entries, namespace="default")


def test_the_refusal_says_who_and_who_may():
    policy = NodePolicy({"m4": {"users": ["root"], "kubernetes_namespaces": ["a"]}}, "k8s.io", list)
    with pytest.raises(Forbidden) as refusal:
        policy.check_request(M4, ProcessorOptions(), {POD: "b"})
    assert str(refusal.value) == (
        "Kubernetes namespace b may not have processor m4; "
        "the configuration gives it to users root; Kubernetes namespaces a"
    )


# --- what -----------------------------------------------------------------------------------

REACHING = [("attached", value) for value in ("take", "keep", "replace", "borrow")]
REACHING += [("coredump", "enabled"), ("recovery", "kernel")]


@pytest.mark.parametrize(("field", "value"), REACHING)
def test_what_reaches_further_needs_the_configurations_word(field, value):
    assert not allowed({}, **{field: value})
    assert not allowed({"m4": {"annotations": {"console": ["none"]}}}, **{field: value})
    assert allowed({"m4": {"annotations": {field: [value]}}}, **{field: value})


def test_one_value_is_not_the_other():
    assert not allowed({"m4": {"annotations": {"attached": ["keep"]}}}, attached="take")


@pytest.mark.parametrize("console", ["trace", "rpmsg", "none", "/dev/ttyS1"])
def test_consoles_are_open_unless_they_are_listed(console):
    assert allowed({}, console=console)
    entries = {"m4": {"annotations": {"console": ["rpmsg"]}}}
    assert allowed(entries, console=console) == (console in ("trace", "rpmsg"))


def test_the_defaults_and_a_digest_are_always_allowed():
    entries = {"m4": {"annotations": {"recovery": ["kernel"]}}}
    assert allowed(entries) and allowed({}, digest=f"sha256:{'0' * 64}", name="m4")


def test_the_refusal_says_what_to_write():
    with pytest.raises(
        Forbidden, match=r"remoteproc\.attached = take is not .* processor m4"
    ) as no:
        NodePolicy({}, "", list).check_request(M4, ProcessorOptions(attached="take"), {})
    assert no.value.hint.endswith("processors: {m4: {annotations: {attached: [take]}}}")


# --- what an image may have written ---------------------------------------------------------

REFUSE = {"m4": {"image_annotations": "refuse"}}
NAME = {"remoteproc.name": "m4"}


def test_podmans_annotations_may_be_the_images():
    assert not allowed(REFUSE, {**NAME, **PODMAN})
    assert not allowed(REFUSE, {**NAME, **PODMAN, "remoteproc.console": "none"}, "", NAME)
    assert allowed(REFUSE, {**NAME, **PODMAN}, confirmed=NAME)
    assert allowed(REFUSE, PODMAN)  # the only processor needs no name
    assert allowed({}, {**NAME, **PODMAN})


@pytest.mark.parametrize("manager", [{}, {"io.container.manager": "cri-o"}])
def test_other_engines_copy_none_out_of_images(manager):
    assert allowed(REFUSE, {**NAME, **manager}) and allowed(REFUSE, NAME, "moby")


# --- which firmware -------------------------------------------------------------------------


def test_digests():
    image = FirmwareImage("hello.elf", 1, f"sha256:{'1' * 64}", "/x")
    check_digest(ProcessorRules(), "m4", image)
    check_digest(ProcessorRules(require="digest", digests=[image.digest]), "m4", image)
    other = ProcessorRules(require="digest", digests=[f"sha256:{'2' * 64}"])
    with pytest.raises(Forbidden, match=r"hello\.elf has digest sha256:1+, which processor m4"):
        check_digest(other, "m4", image)
