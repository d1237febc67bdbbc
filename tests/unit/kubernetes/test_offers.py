"""Proves which processor is in which resource, when it is healthy, and when it is free."""

from __future__ import annotations

import pytest

from domain.container import Owner
from domain.offers import Offers, is_domain, is_resource_name, prefer
from domain.policy import NodePolicy
from domain.processor import OFFLINE, RUNNING, ProcessorInfo, ProcessorState
from domain.processor_rows import ProcessorRow

POD = Owner("c1", "/run/containerd/k8s.io", "default/board/main")
DOCKER = Owner("c2", "/run/containerd/moby")


def row(name, state=OFFLINE, owner=None, device="", note="", fault="", left=False):
    device = device or f"remoteproc-{name}"
    info = ProcessorInfo(name, device, ProcessorState(state), "", note, fault=fault)
    return ProcessorRow(info, owner, left)


def offers_of(pools=None, rules=None, domain="remoteproc"):
    return Offers(domain, pools or {}, NodePolicy(rules or {}, "", lambda: ()))


def ids(found):
    return {resource: [offer.id for offer in offers] for resource, offers in found.items()}


def test_a_processor_is_a_resource_of_its_own_or_in_a_pool():
    offers = offers_of({"cortex-m7": ["m7-0", "m7-1"]}, domain="board.example")
    found = offers.look([row("m7-0"), row("m4"), row("m7-1")])
    assert ids(found) == {"board.example/cortex-m7": ["m7-0", "m7-1"], "board.example/m4": ["m4"]}


def test_a_name_that_two_processors_have_or_kubernetes_does_not_take_is_the_devices():
    rows = [row("imx-rproc", device="remoteproc0"), row("imx-rproc", device="remoteproc1")]
    rows += [row("a core", device="remoteproc2"), row("x" * 64, device="remoteproc3")]
    found = offers_of({"pool": ["remoteproc1"]}).look(rows)
    assert ids(found) == {
        "remoteproc/remoteproc0": ["remoteproc0"],
        "remoteproc/pool": ["remoteproc1"],
        "remoteproc/remoteproc2": ["remoteproc2"],
        "remoteproc/remoteproc3": ["remoteproc3"],
    }


HEALTH = [
    (row("m4"), "", True),
    (row("m4", RUNNING, POD), "", False),
    (row("m4", OFFLINE, POD), "", False),
    (row("m4", "crashed", POD), "", False),
    (row("m4", RUNNING, DOCKER), "belongs to container c2, which is no pod's", False),
    (row("m4", RUNNING), "is running, and no container has started it", False),
    (row("m4", "attached"), "is attached, and no container has started it", False),
    (row("m4", "new-word"), "is new-word, and no container has started it", False),
    (row("m4", "crashed"), "is crashed", False),
    (row("m4", note="simulated"), "", True),
    (row("m4", fault="its driver lets nobody control it"), "its driver lets nobody control it", 0),
    (row("m4", RUNNING, POD, note="left running by c1", left=True), "left running by c1", False),
]


@pytest.mark.parametrize(("seen", "trouble", "free"), HEALTH)
def test_health(seen, trouble, free):
    (offer,) = offers_of().look([seen])["remoteproc/m4"]
    assert (offer.trouble, offer.free) == (trouble, free)


@pytest.mark.parametrize("state", ["attached", "detached"])
def test_what_a_boot_loader_started_can_be_had_if_the_configuration_says_so(state):
    rules = {"m4": {"annotations": {"attached": ["take"]}}}
    (offer,) = offers_of(rules=rules).look([row("m4", state)])["remoteproc/m4"]
    assert (offer.trouble, offer.free) == ("", True)


def test_a_processor_that_goes_is_unhealthy_until_it_is_back():
    offers = offers_of()
    offers.look([row("m4"), row("m7")])
    gone = offers.look([row("m7")])["remoteproc/m4"][0]
    assert gone.trouble == "this board does not have it now" and not gone.free
    assert offers.look([row("m4"), row("m7")])["remoteproc/m4"][0].trouble == ""


def test_one_of_a_pool_that_was_never_there_is_shown():
    found = offers_of({"m7": ["m7-0", "m7-9"]}).look([row("m7-0")])
    assert [(o.id, bool(o.trouble)) for o in found["remoteproc/m7"]] == [
        ("m7-0", False),
        ("m7-9", True),
    ]


def test_a_start_that_is_seen_halfway_is_no_trouble():
    offers = offers_of()
    offers.look([row("m4")])
    between = offers.look([row("m4", RUNNING)])["remoteproc/m4"][0]
    assert between.trouble == "" and not between.free, "not given away, either"
    assert offers.look([row("m4", RUNNING, POD)])["remoteproc/m4"][0].trouble == ""
    offers.look([row("m4", RUNNING)])
    assert offers.look([row("m4", RUNNING)])["remoteproc/m4"][0].trouble


def test_free_processors_are_preferred():
    rows = [row("a", RUNNING, POD), row("b", RUNNING, POD), row("c"), row("d")]
    found = offers_of({"pool": ["a", "b", "c", "d"]}).look(rows)["remoteproc/pool"]
    assert prefer(found, ["a", "b", "c", "d"], []) == ["c", "d", "a", "b"]
    assert prefer(found, ["a", "b", "c"], ["b"]) == ["b", "c", "a"]


@pytest.mark.parametrize("text", ["m4", "imx-rproc", "4080000.dsp", "a_b", "x" * 63])
def test_names_that_kubernetes_takes(text):
    assert is_resource_name(text)


@pytest.mark.parametrize("text", ["", "-a", "a-", "a/b", "a b", "x" * 64, "é"])
def test_names_that_it_does_not_take(text):
    assert not is_resource_name(text)


def test_domains():
    assert is_domain("remoteproc") and is_domain("board.example")
    for text in ("", "a..b", "A.b", "a_b.c", "kubernetes.io", "x.kubernetes.io", "-a.b", "a/b"):
        assert not is_domain(text), text
