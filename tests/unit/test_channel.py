"""Proves that messages of any length come whole and in order, and that the end of the peer, in the
middle of a message or not, is an end and no message."""

from __future__ import annotations

import socket
import threading

import pytest

from adapters.linux import channel
from adapters.linux.channel import Channel


@pytest.fixture
def ends():
    pair = [Channel(each) for each in socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)]
    for end in pair:
        end.settimeout(10)
    yield pair
    for end in pair:
        end.close()


@pytest.mark.parametrize("size", [1, 2, 255, 256, 65_535, 65_536, 70_000, 3_000_001])
def test_messages_come_whole_and_in_order(ends, size):
    ours, theirs = ends
    messages = [b"first", bytes(range(256)) * (size // 256) + b"x" * (size % 256), b"last"]
    sender = threading.Thread(target=lambda: [ours.send(message) for message in messages])
    sender.start()
    assert [theirs.receive() for _ in messages] == messages
    sender.join()


@pytest.mark.parametrize("part", [b"", b"\x05", b"\x05\0\0\0", b"\x05\0\0\0four"])
def test_a_peer_that_has_gone(part):
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    left.send(part)
    left.close()
    end = Channel(right)
    assert end.receive() == b""
    end.close()


def test_what_is_too_long_is_refused_on_both_sides(ends, monkeypatch):
    ours, theirs = ends
    ours.send(b"x" * 101)
    monkeypatch.setattr(channel, "LIMIT", 100)
    with pytest.raises(OSError, match="too long"):
        theirs.receive()
    with pytest.raises(OSError, match="too long"):
        ours.send(b"x" * 101)
