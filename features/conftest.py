"""Gives each scenario a machine of its own, of the kind that `--backend` names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

STEPS = ("world", "given", "when", "then")

# pytest must rewrite the assertions of these packages before they are imported.
pytest.register_assert_rewrite("features.steps", "features.backends")

from features.backends.backend import Backend  # noqa: E402
from features.backends.generic import GenericBackend  # noqa: E402
from features.backends.hardware import HardwareBackend  # noqa: E402
from features.backends.kernel import KernelBackend  # noqa: E402
from features.backends.sim import SimBackend  # noqa: E402
from features.backends.simfs import SimfsBackend  # noqa: E402
from features.scenarios import before_any_kernel, needs  # noqa: E402

BACKENDS: dict[str, type[Backend]] = {
    "sim": SimBackend,
    "generic": GenericBackend,
    "simfs": SimfsBackend,
    "kernel": KernelBackend,
    "sysfs": HardwareBackend,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        choices=tuple(BACKENDS),
        default="sim",
        help="the processors on which the features run",
    )
    parser.addoption(
        "--part", default="1/1", metavar="N/OF", help="run every OFth scenario only, from the Nth"
    )
    board = "for --backend sysfs: "
    parser.addoption(
        "--processor",
        action="append",
        default=[],
        help=f"{board}a processor to use; may be given again",
    )
    parser.addoption("--firmware", default="", help=f"{board}firmware that all of them can run")
    parser.addoption("--prints", default="", help=f"{board}a text that the firmware prints")


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "promise(number): the promise of features/README.md that a scenario is part of",
        "spec(anchor): the runtime-spec's requirement that a scenario proves",
        "needs(ability): what a backend must have for a scenario; see features/scenarios.py",
        "before_any_kernel: the runtime decides the scenario before any processor starts",
    ):
        config.addinivalue_line("markers", line)
    if config.getoption("--backend", default="sim") == "sysfs":
        HardwareBackend.configure(*map(config.getoption, ("processor", "firmware", "prints")))
    for name in STEPS:
        config.pluginmanager.import_plugin(f"features.steps.{name}")


@pytest.hookimpl(tryfirst=True)  # before pytest's own -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Function]) -> None:
    scenarios = [item for item in items if item.nodeid.startswith("features/test_features.py")]
    for item in scenarios:
        # pytest-bdd's docstring of a scenario: "FILE.feature: TITLE"
        file, _, title = str(item.function.__doc__).partition(".feature: ")
        assert title, item.function.__doc__
        rule = os.path.basename(file).partition("_")[0]
        for ability in needs(rule, title):
            item.add_marker(pytest.mark.needs(ability))
        if before_any_kernel(rule, title):
            item.add_marker(pytest.mark.before_any_kernel)
    number, of = map(int, config.getoption("--part").split("/"))
    if of > 1:
        kept = items[number - 1 :: of]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_bdd_apply_tag(tag: str, function: Callable[..., object]) -> bool:
    """Make a marker of a tag: `@promise-N` or `@spec:FILE#ANCHOR`."""
    if tag.startswith("promise-"):
        mark = pytest.mark.promise(int(tag.removeprefix("promise-")))
    elif tag.startswith("spec:"):
        mark = pytest.mark.spec(tag.removeprefix("spec:"))
    else:
        raise ValueError(f"unknown tag @{tag}")
    mark(function)
    return True


@pytest.fixture(scope="session")
def backend_name(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of the backend, whose shared files are prepared."""
    name: str = request.config.getoption("--backend", default="sim")
    lock = os.path.join(tmp_path_factory.getbasetemp().parent, "backend.lock")
    BACKENDS[name].prepare(lock)
    return name


@pytest.fixture
def backend(request: pytest.FixtureRequest, tmp_path: Path, backend_name: str) -> Iterator[Backend]:
    for mark in request.node.iter_markers("needs"):
        (ability,) = mark.args
        if ability not in BACKENDS[backend_name].abilities:
            pytest.skip(f"the backend {backend_name} lacks {ability.value}")
    backend = BACKENDS[backend_name](str(tmp_path / "backend"))
    yield backend
    left = backend.close()
    assert not left, f"left behind: {left}"
