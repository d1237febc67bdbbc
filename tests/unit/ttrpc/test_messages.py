"""Envelopes have ttrpc's bytes, survive the trip, and garbled ones give a status, never a crash."""

from __future__ import annotations

import pytest
from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st

from adapters.containerd.ttrpc import messages
from adapters.containerd.ttrpc.errors import Code, RpcError
from adapters.containerd.ttrpc.frames import MAX_DATA, REQUEST, RESPONSE, FrameReader

text = st.text(max_size=30)
metadata = st.dictionaries(text, st.lists(text, min_size=1, max_size=3), max_size=3)


def only(data: bytes):
    (frame,) = FrameReader().feed(data)
    return frame


def test_a_request_has_the_bytes_of_the_wire_format():
    data = messages.request_frame(3, "s", "m", b"\x01", 2e-9, {"k": ["v"]})
    body = (
        b"\x0a\x01s" + b"\x12\x01m" + b"\x1a\x01\x01" + b"\x20\x02" + b"\x2a\x06\x0a\x01k\x12\x01v"
    )
    assert data == b"\0\0\0" + bytes([len(body)]) + b"\0\0\0\x03\x01\0" + body


def test_a_response_has_the_bytes_of_the_wire_format():
    assert messages.response_frame(1, b"xy") == b"\0\0\0\x06\0\0\0\x01\x02\0" + b"\x0a\0\x12\x02xy"
    error = messages.error_frame(1, RpcError(Code.NOT_FOUND, "no"))
    assert error == b"\0\0\0\x08\0\0\0\x01\x02\0" + b"\x0a\x06\x08\x05\x12\x02no"


def test_an_absent_status_is_success():
    assert messages.parse_response(b"\x12\x02xy") == b"xy"
    assert messages.parse_response(b"") == b""


@given(text, text, st.binary(max_size=50), st.none() | st.floats(1e-3, 1e12), metadata)
def test_a_request_survives_the_trip(service, method, payload, timeout, pairs):
    frame = only(messages.request_frame(7, service, method, payload, timeout, pairs))
    assert (frame.stream_id, frame.type, frame.flags) == (7, REQUEST, 0)
    request = messages.parse_request(frame.data)
    assert (request.service, request.method, request.payload) == (service, method, payload)
    assert messages.metadata_of(request.metadata) == pairs
    if timeout is None:
        assert request.timeout_nano == 0
    else:
        assert 0 < request.timeout_nano <= 2**63 - 1
        assert request.timeout_nano == pytest.approx(min(timeout * 1e9, 2**63 - 1), rel=1e-6)


@pytest.mark.parametrize("timeout", [0.0, -1.0, 1e-12])
def test_no_time_left_is_not_sent_as_no_limit(timeout):
    frame = only(messages.request_frame(1, "s", "m", b"", timeout))
    assert messages.parse_request(frame.data).timeout_nano == 1


@given(st.integers(1, 2**31 - 1), st.text(max_size=100), st.binary(max_size=20))
def test_an_error_survives_the_trip(code, message, detail):
    details = [Any(type_url="a.B", value=detail)]
    frame = only(messages.error_frame(9, RpcError(code, message, details)))
    assert (frame.stream_id, frame.type) == (9, RESPONSE)
    with pytest.raises(RpcError) as caught:
        messages.parse_response(frame.data)
    assert caught.value.code == code
    assert caught.value.message == message
    assert [(each.type_url, each.value) for each in caught.value.details] == [("a.B", detail)]


@pytest.mark.parametrize("code", [0, -1, 2**31, 2**70])
def test_an_error_is_never_sent_as_success(code):
    with pytest.raises(RpcError) as caught:
        messages.parse_response(only(messages.error_frame(1, RpcError(code, "x"))).data)
    assert caught.value.code == Code.UNKNOWN


def test_an_undecodable_file_name_in_an_error_is_sent_readably():
    with pytest.raises(RpcError, match=r"/lib/\\udcff"):
        messages.parse_response(only(messages.error_frame(1, RpcError(2, "/lib/\udcff"))).data)


def test_what_does_not_fit_becomes_an_error_that_does():
    with pytest.raises(RpcError) as caught:
        messages.request_frame(1, "s", "m", bytes(MAX_DATA))
    assert caught.value.code == Code.RESOURCE_EXHAUSTED
    with pytest.raises(RpcError) as caught:
        messages.parse_response(only(messages.response_frame(1, bytes(MAX_DATA))).data)
    assert caught.value.code == Code.RESOURCE_EXHAUSTED
    with pytest.raises(RpcError) as caught:
        messages.parse_response(only(messages.error_frame(1, RpcError(5, "é" * MAX_DATA))).data)
    assert caught.value.code == Code.NOT_FOUND


@given(st.binary(max_size=200))
def test_garbled_envelopes_give_a_status(data):
    try:
        messages.parse_request(data)
    except RpcError as error:
        assert error.code == Code.INVALID_ARGUMENT
    try:
        assert isinstance(messages.parse_response(data), bytes)
    except RpcError as error:
        assert error.code != Code.OK
