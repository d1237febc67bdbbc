"""A call is cancelled once, each callback runs once, and a callback that raises stops no other."""

from __future__ import annotations

import time

from adapters.containerd.ttrpc.context import CallContext


def context(deadline=None):
    return CallContext("s", "m", {}, deadline)


def test_callbacks_are_called_once_in_their_order():
    call, heard = context(), []
    for n in range(3):
        call.on_cancel(lambda n=n: heard.append((n, call.cancelled.is_set())))
    assert heard == []
    call.cancel()
    call.cancel()
    assert heard == [(0, True), (1, True), (2, True)]


def test_a_late_callback_is_called_at_once():
    call, heard = context(), []
    call.cancel()
    call.on_cancel(lambda: heard.append(1))
    assert heard == [1]


def test_a_callback_that_raises_keeps_no_other_from_being_called():
    call, heard = context(), []
    call.on_cancel(lambda: 1 / 0)
    call.on_cancel(lambda: heard.append(1))
    call.cancel()
    assert heard == [1]


def test_a_callback_may_ask_for_another():
    call, heard = context(), []
    call.on_cancel(lambda: call.on_cancel(lambda: heard.append(1)))
    call.cancel()
    assert heard == [1]


def test_the_time_left_ends_at_none():
    assert context().remaining() is None
    assert context(time.monotonic() - 5).remaining() == 0
    assert 4 < context(time.monotonic() + 5).remaining() <= 5
