"""Gives every scenario a bench of its own, of the kind that `--backend` names."""

from __future__ import annotations

import os

import pytest

STEPS = ("world", "given", "when", "then")

pytest.register_assert_rewrite(
    *(f"features.steps.{name}" for name in STEPS),
    *(
        f"features.benches.{name}"
        for name in ("bench", "host", "sim", "tree", "simfs", "kernel", "hardware")
    ),
)

from features.benches.bench import Bench  # noqa: E402 -- to be rewritten, it must come after
from features.benches.hardware import HardwareBench  # noqa: E402
from features.benches.kernel import KernelBench  # noqa: E402
from features.benches.sim import SimBench  # noqa: E402
from features.benches.simfs import SimfsBench  # noqa: E402

# A kind of bench: its class takes the path of an empty directory.
BENCHES: dict[str, type[Bench]] = {
    "sim": SimBench,
    "simfs": SimfsBench,
    "kernel": KernelBench,
    "sysfs": HardwareBench,
}


def pytest_addoption(parser):
    parser.addoption(
        "--backend",
        choices=tuple(BENCHES),
        default="sim",
        help="what the features are tried on",
    )
    parser.addoption(
        "--part", default="1/1", metavar="N/OF", help="try every OFth scenario only, from the Nth"
    )
    board = "for --backend sysfs: "
    parser.addoption(
        "--processor", action="append", default=[], help=f"{board}a processor to use (again: more)"
    )
    parser.addoption("--firmware", default="", help=f"{board}firmware that all of them can run")
    parser.addoption("--prints", default="", help=f"{board}a text that the firmware prints")


def pytest_configure(config):
    for line in (
        "promise(number): the promise of features/README.md that a scenario is part of",
        "spec(anchor): the runtime-spec's requirement that a scenario proves",
        "needs(ability): what a bench must be able to do for a scenario",
        "before_any_kernel: settled before any kernel or processor comes into play",
        "not_on(backend, reason): a bench on which a scenario cannot be tried, and why",
    ):
        config.addinivalue_line("markers", line)
    if config.getoption("--backend", default="sim") == "sysfs":
        HardwareBench.configure(*map(config.getoption, ("processor", "firmware", "prints")))
    for name in STEPS:
        config.pluginmanager.import_plugin(f"features.steps.{name}")


def pytest_collection_modifyitems(config, items):
    number, of = map(int, config.getoption("--part").split("/"))
    if of > 1:
        kept = items[number - 1 :: of]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_bdd_apply_tag(tag, function):
    """Tags: promise-N, spec:FILE#ANCHOR, before-any-kernel, needs-ABILITY, not-on-BACKEND:why."""
    if tag.startswith("promise-"):
        mark = pytest.mark.promise(int(tag.removeprefix("promise-")))
    elif tag.startswith("spec:"):
        mark = pytest.mark.spec(tag.removeprefix("spec:"))
    elif tag.startswith("needs-"):
        mark = pytest.mark.needs(tag.removeprefix("needs-"))
    elif tag == "before-any-kernel":
        mark = pytest.mark.before_any_kernel
    elif tag.startswith("not-on-") and ":" in tag:
        backend, _, reason = tag.removeprefix("not-on-").partition(":")
        mark = pytest.mark.not_on(backend, reason.replace("-", " "))
    else:
        raise ValueError(f"unknown tag @{tag}")
    mark(function)
    return True


@pytest.fixture(scope="session")
def kind(request, tmp_path_factory):
    """The kind of bench, made ready."""
    kind = request.config.getoption("--backend", default="sim")
    BENCHES[kind].make_ready(os.path.join(tmp_path_factory.getbasetemp().parent, "bench.lock"))
    return kind


@pytest.fixture
def bench(request, tmp_path, kind):
    for mark in request.node.iter_markers("not_on"):
        if mark.args[0] == kind:
            pytest.skip(f"not on {kind}: {mark.args[1]}")
    for mark in request.node.iter_markers("needs"):
        if mark.args[0] not in BENCHES[kind].abilities:
            pytest.skip(f"{kind} has no way of {mark.args[0]}")
    bench = BENCHES[kind](str(tmp_path / "bench"))
    yield bench
    left = bench.close()
    assert not left, f"left behind: {left}"
