"""The containers compose what the programs run: lazily, once, and open to stand-ins of tests."""

from __future__ import annotations

import pytest
from dependency_injector import providers

from bootstrap import container, programs, wiring
from bootstrap.settings import Settings

SETTINGS = Settings("/nowhere/state", "/nowhere/run", "sim", "quad", "/nowhere")


@pytest.fixture(params=["container", "generated"])
def runtime(request):
    """Returns the graph of a configuration, by the container or by what is generated from it."""
    if request.param == "container":
        return lambda settings: container.Runtime(
            settings=settings, warn=print, start_supervisor=programs.spawn_supervisor
        )
    return lambda settings: wiring.Runtime(settings, print, programs.spawn_supervisor)


def test_a_mistake_in_the_board_stops_no_command_that_needs_no_board(runtime):
    assert runtime(SETTINGS._replace(board="no-such-board")).lifecycle() is not None


def test_each_part_is_made_once(runtime):
    graph = runtime(SETTINGS)
    assert graph.lifecycle() is graph.lifecycle()
    assert graph.board() is graph.board()


@pytest.mark.parametrize(("backend", "kind"), [("sim", "SimBoard"), ("sysfs", "SysfsBoard")])
def test_the_configuration_chooses_the_board(runtime, backend, kind):
    assert type(runtime(SETTINGS._replace(backend=backend)).board()).__name__ == kind


def test_a_test_can_put_its_own_part_in_place():
    graph = container.Runtime(
        settings=SETTINGS, warn=print, start_supervisor=programs.spawn_supervisor
    )
    stand_in = object()
    graph.store.override(providers.Object(stand_in))
    assert graph.lifecycle()._store is stand_in
