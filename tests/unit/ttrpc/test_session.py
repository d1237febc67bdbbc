"""The server's session, in memory, accepts and refuses frames as the Go server does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.containerd.ttrpc import frames, messages
from adapters.containerd.ttrpc.errors import Code
from adapters.containerd.ttrpc.session import Incoming, Refused, ServerSession


def call(stream_id: int) -> bytes:
    return messages.request_frame(stream_id, "s", "m", b"")


def ids_and_codes(events) -> list[tuple[int, int]]:
    return [(e.stream_id, e.error.code if isinstance(e, Refused) else Code.OK) for e in events]


def test_calls_come_in_their_order():
    events = ServerSession().receive(call(1) + call(3) + call(101))
    assert ids_and_codes(events) == [(1, 0), (3, 0), (101, 0)]
    assert isinstance(events[0], Incoming) and events[0].request.service == "s"


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        (call(2), [(2, Code.INVALID_ARGUMENT)]),
        (call(0), [(0, Code.INVALID_ARGUMENT)]),
        (call(5) + call(5), [(5, Code.OK), (5, Code.INVALID_ARGUMENT)]),
        (call(5) + call(3), [(5, Code.OK), (3, Code.INVALID_ARGUMENT)]),
        (frames.encode(1, frames.REQUEST, b"\xff"), [(1, Code.INVALID_ARGUMENT)]),
        # Invalid UTF-8 in the service's name.
        (frames.encode(1, frames.REQUEST, b"\x0a\x01\xff"), [(1, Code.INVALID_ARGUMENT)]),
        (frames.encode(1, frames.DATA, b""), [(1, Code.INVALID_ARGUMENT)]),
        (frames.encode(1, frames.RESPONSE, b""), []),
        (frames.encode(1, 4, b"new"), []),
        (frames.encode(1, 255, b"new"), []),
        # A streaming call's flags do not keep a unary method from answering.
        (frames.encode(1, frames.REQUEST, b"", 1), [(1, Code.OK)]),
        (
            frames.HEADER.pack(frames.MAX_DATA + 1, 1, 1, 0) + bytes(frames.MAX_DATA + 1),
            [(1, Code.RESOURCE_EXHAUSTED)],
        ),
    ],
)
def test_each_wrong_frame_has_its_answer_and_the_connection_stays_usable(data, answers):
    session = ServerSession()
    assert ids_and_codes(session.receive(data)) == answers
    assert ids_and_codes(session.receive(call(999))) == [(999, Code.OK)]


def test_an_id_is_used_up_by_a_garbled_request_but_not_by_an_unknown_type():
    session = ServerSession()
    garbled = frames.encode(7, frames.REQUEST, b"\xff")
    assert ids_and_codes(session.receive(garbled + call(7)))[1] == (7, Code.INVALID_ARGUMENT)
    unknown = frames.encode(9, 77, b"")
    assert ids_and_codes(session.receive(unknown + call(9))) == [(9, Code.OK)]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), st.binary(max_size=12)), max_size=9)
)
def test_accepted_calls_have_rising_odd_ids_after_any_bytes(sent):
    data = b"".join(frames.encode(*one) for one in sent)
    events = ServerSession().receive(data)
    ids = [e.stream_id for e in events if isinstance(e, Incoming)]
    assert all(i % 2 for i in ids)
    assert ids == sorted(set(ids))
    assert len(events) <= len(sent)
