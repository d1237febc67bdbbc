"""Whatever a peer sends to a live server, in whatever pieces, others are served as before."""

from __future__ import annotations

import contextlib
import socket

from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.containerd.ttrpc import frames, messages
from tests.unit.ttrpc.harness import SERVICE

METHODS = ["Echo", "EchoBytes", "Fail", "Swallow", "Wait", "None"]

calls = st.builds(
    messages.request_frame,
    st.integers(0, 20),
    st.sampled_from([SERVICE, "other"]),
    st.sampled_from(METHODS),
    st.binary(max_size=20),
    st.sampled_from([None, 0.0, 0.01, 1e9]),
)
any_frame = st.builds(
    frames.encode, st.integers(0, 20), st.integers(0, 5), st.binary(max_size=40), st.integers(0, 7)
)
oversized = st.integers(1, 1 << 16).map(
    lambda more: frames.HEADER.pack(frames.MAX_DATA + more, 1, 1, 0) + bytes(more)
)
pieces = st.lists(st.one_of(calls, any_frame, st.binary(max_size=40), oversized), max_size=12)


def test_a_live_server_survives_any_peer(running):
    with running.client() as client:

        @settings(max_examples=300)
        @given(pieces, st.booleans())
        def attack(sent, read):
            with running.raw() as sock:
                for piece in sent:
                    sock.sendall(piece)
                if read:
                    sock.shutdown(socket.SHUT_WR)
                    reader = frames.FrameReader()
                    with contextlib.suppress(ConnectionResetError):
                        while chunk := sock.recv(65536):
                            for frame in reader.feed(chunk):
                                assert frame.type == frames.RESPONSE
            answer = client.call(SERVICE, "Echo", StringValue(value="x"), StringValue, timeout=20)
            assert answer.value == "x"

        attack()
        assert running.thread.is_alive()
