"""The client against a peer that misbehaves: every call ends, in time, with the right error."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from google.protobuf.wrappers_pb2 import BytesValue, StringValue

from adapters.containerd.ttrpc import frames, messages
from adapters.containerd.ttrpc.client import Client
from adapters.containerd.ttrpc.errors import Closed, Code, RpcError
from tests.unit.ttrpc.harness import SERVICE, InThread, eventually


@pytest.fixture
def pair():
    theirs, ours = socket.socketpair()
    theirs.settimeout(20)
    with theirs, Client(ours) as client:
        yield theirs, client


def calling(client, request=None, **options):
    """A call in a thread; `.outcome` is what came of it."""
    return InThread(client.call, "s", "m", request, StringValue, **options)


def requests(sock, count):
    reader = frames.FrameReader()
    found: list[frames.Frame | frames.Oversized] = []
    while len(found) < count:
        found += reader.feed(sock.recv(65536))
    return found


def answer(stream_id, text="ok"):
    return messages.response_frame(stream_id, StringValue(value=text).SerializeToString())


def outcome(thread):
    thread.join(20)
    assert not thread.is_alive()
    return thread.outcome


def test_ids_are_odd_rising_and_answers_find_their_callers_in_any_order(pair):
    theirs, client = pair
    threads = [calling(client) for _ in range(40)]
    ids = [frame.stream_id for frame in requests(theirs, 40)]
    assert ids == list(range(1, 81, 2))
    for stream_id in reversed(ids):
        theirs.sendall(answer(stream_id, str(stream_id)))
    assert sorted(int(outcome(t).value) for t in threads) == ids


def test_at_the_end_of_the_connection_every_call_fails_as_closed(pair):
    theirs, client = pair
    threads = [calling(client) for _ in range(30)] + [calling(client, timeout=60)]
    requests(theirs, 31)
    theirs.close()
    for thread in threads:
        assert isinstance(outcome(thread), Closed)
    eventually(lambda: client.closed)
    with pytest.raises(Closed, match="the peer closed the connection"):
        client.call("s", "m", None, StringValue)


def test_an_answer_sent_before_the_end_still_counts(pair):
    theirs, client = pair
    thread = calling(client)
    requests(theirs, 1)
    theirs.sendall(answer(1, "last words"))
    theirs.close()
    assert outcome(thread).value == "last words"


def test_on_close_is_called_once_at_either_ends_close():
    for close_ours in (True, False):
        theirs, ours = socket.socketpair()
        calls: list[int] = []

        def closed(calls=calls):
            calls.append(1)

        client = Client(ours, on_close=closed)
        if close_ours:
            client.close()
        else:
            theirs.close()
            eventually(lambda calls=calls: calls)
        client.close()
        client.close()
        theirs.close()
        assert calls == [1]


def test_on_close_may_close_the_client():
    theirs, ours = socket.socketpair()
    closed = threading.Event()

    def close_again():
        client.close()
        closed.set()

    client = Client(ours, on_close=close_again)
    theirs.close()
    assert closed.wait(10)


def test_closing_here_ends_the_calls(pair):
    theirs, client = pair
    thread = calling(client)
    requests(theirs, 1)
    client.close()
    assert isinstance(outcome(thread), Closed)
    assert "at this end" in str(thread.outcome)


def test_a_call_ends_at_its_deadline_and_a_late_answer_is_dropped(pair):
    theirs, client = pair
    begun = time.monotonic()
    thread = calling(client, timeout=0.2)
    (request,) = requests(theirs, 1)
    assert 0 < messages.parse_request(request.data).timeout_nano <= 200_000_000
    error = outcome(thread)
    assert (type(error), error.code) == (RpcError, Code.DEADLINE_EXCEEDED)
    assert 0.2 <= time.monotonic() - begun < 2
    theirs.sendall(answer(1, "too late"))
    second = calling(client)
    requests(theirs, 1)
    theirs.sendall(answer(3, "in time"))
    assert outcome(second).value == "in time"


def test_a_peer_that_does_not_read_cannot_hold_a_caller_beyond_its_deadline(pair):
    _theirs, client = pair
    big = BytesValue(value=bytes(4_000_000))
    begun = time.monotonic()
    with pytest.raises(RpcError) as caught:
        client.call("s", "m", big, BytesValue, timeout=0.3)
    assert caught.value.code == Code.DEADLINE_EXCEEDED
    assert time.monotonic() - begun < 2
    # Half of it was sent, which cannot be taken back.
    eventually(lambda: client.closed)
    with pytest.raises(Closed, match="does not read"):
        client.call("s", "m", None, StringValue)


def test_a_caller_behind_a_stuck_one_keeps_its_own_deadline(pair):
    _theirs, client = pair
    stuck = calling(client, BytesValue(value=bytes(4_000_000)))
    time.sleep(0.1)
    with pytest.raises(RpcError) as caught:
        client.call("s", "m", None, StringValue, timeout=0.1)
    assert caught.value.code == Code.DEADLINE_EXCEEDED
    client.close()
    assert isinstance(outcome(stuck), Closed)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (frames.encode(1, frames.RESPONSE, b"\xff"), Code.INTERNAL),
        (frames.encode(1, frames.RESPONSE, b"\x12\x01\xff"), Code.INTERNAL),
        (frames.encode(1, frames.DATA, b""), Code.INTERNAL),
        (
            frames.HEADER.pack(frames.MAX_DATA + 1, 1, frames.RESPONSE, 0)
            + bytes(frames.MAX_DATA + 1),
            Code.RESOURCE_EXHAUSTED,
        ),
        (messages.error_frame(1, RpcError(99, "own code")), 99),
    ],
)
def test_a_bad_answer_fails_its_call_only(pair, reply, code):
    theirs, client = pair
    thread = calling(client)
    requests(theirs, 1)
    theirs.sendall(reply)
    assert outcome(thread).code == code
    second = calling(client)
    requests(theirs, 1)
    theirs.sendall(answer(3))
    assert outcome(second).value == "ok"


def test_a_reader_that_fails_ends_the_connection_and_every_call(pair, monkeypatch):
    theirs, client = pair
    threads = [calling(client) for _ in range(3)]
    requests(theirs, 3)

    def fail(self, chunk):
        raise MemoryError("planted")

    monkeypatch.setattr(frames.FrameReader, "feed", fail)
    theirs.sendall(answer(1))
    for thread in threads:
        assert isinstance(outcome(thread), Closed) and "planted" in str(thread.outcome)
    eventually(lambda: client.closed)


def test_a_response_that_cannot_be_read_fails_its_call_only(pair, monkeypatch):
    theirs, client = pair
    thread = calling(client)
    requests(theirs, 1)

    def fail(data):
        raise MemoryError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(messages, "parse_response", fail)
        theirs.sendall(answer(1))
        assert outcome(thread).code == Code.INTERNAL
    second = calling(client)
    requests(theirs, 1)
    theirs.sendall(answer(3))
    assert outcome(second).value == "ok"


def test_frames_for_nobody_and_of_unknown_types_are_ignored(pair):
    theirs, client = pair
    thread = calling(client)
    requests(theirs, 1)
    theirs.sendall(answer(77) + frames.encode(1, 9, b"?") + frames.encode(1, 1, b"?") + answer(1))
    assert outcome(thread).value == "ok"


def test_a_request_too_large_is_not_sent(running):
    with running.client() as client:
        with pytest.raises(RpcError) as caught:
            client.call("s", "m", BytesValue(value=bytes(frames.MAX_DATA)), BytesValue)
        assert caught.value.code == Code.RESOURCE_EXHAUSTED
        answer = client.call(SERVICE, "Echo", StringValue(value="x"), StringValue)
        assert answer.value == "x"


def test_when_ids_are_used_up_the_client_says_so(pair):
    theirs, client = pair
    client._next_id = 2**32 - 1
    thread = calling(client)
    (request,) = requests(theirs, 1)
    assert request.stream_id == 2**32 - 1
    theirs.sendall(answer(request.stream_id))
    assert outcome(thread).value == "ok"
    with pytest.raises(Closed, match="stream ids"):
        client.call("s", "m", None, StringValue)


def test_connecting_to_nothing_raises_and_leaves_no_socket(tmp_path):
    with pytest.raises(FileNotFoundError):
        Client.connect(f"unix://{tmp_path}/none", timeout=1)
