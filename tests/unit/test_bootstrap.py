"""Both wirings, by the injection container and by hand, give the same graph."""

from __future__ import annotations

import functools

from dependency_injector import providers

from bootstrap import direct
from bootstrap.container import runtime_for
from bootstrap.settings import Settings

SETTINGS = Settings("/nowhere/state", "/nowhere/run", "sim", "quad", "/nowhere")


def shape(part):
    """What a part is made of: its class and all that it holds, functions by their name."""
    if isinstance(part, functools._lru_cache_wrapper | providers.Provider):
        return "the board, when it is asked for"
    if callable(part):
        return part.__qualname__
    held = getattr(part, "__dict__", None)
    if held is None:
        held = {name: getattr(part, name) for name in getattr(part, "__slots__", ())}
    if not held:
        return repr(part)
    return type(part).__qualname__, {name: shape(value) for name, value in held.items()}


def test_the_two_wirings_give_the_same_graph():
    by_container = runtime_for(SETTINGS).lifecycle()
    by_hand = direct.lifecycle(SETTINGS)
    assert shape(by_container) == shape(by_hand)


def test_a_part_that_differs_is_noticed():
    by_container = runtime_for(SETTINGS._replace(root="/elsewhere"))
    assert shape(by_container.lifecycle()) != shape(direct.lifecycle(SETTINGS))


def test_the_board_is_made_once_and_only_when_it_is_asked_for():
    runtime = runtime_for(SETTINGS._replace(board="no-such-board"))
    runtime.lifecycle()  # a mistake in the board file disturbs nobody who needs no board
    runtime = runtime_for(SETTINGS)
    assert runtime.board() is runtime.board()


def test_a_part_can_be_overridden():
    runtime = runtime_for(SETTINGS)
    stand_in = object()
    with runtime.store.override(providers.Object(stand_in)):
        assert runtime.lifecycle()._store is stand_in
