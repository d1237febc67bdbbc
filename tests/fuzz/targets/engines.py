"""What containerd and commands send: ttrpc, bootstrap parameters, and messages of supervisors."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from adapters.containerd.api.bootstrap_pb2 import BootstrapParams
from adapters.containerd.bootstrap_reply import read_bootstrap
from adapters.containerd.protobuf_wire import message_field, number_field, read_fields
from adapters.containerd.ttrpc import frames, messages
from adapters.containerd.ttrpc.errors import Code, RpcError
from adapters.containerd.ttrpc.session import Incoming, Refused, ServerSession
from adapters.encoding.light_json import dumps, loads
from adapters.supervisor import control_protocol
from adapters.supervisor.order import SupervisorOrder
from domain.errors import RemoteprocError
from tests.fuzz.target import target


def _pieces(data: bytes) -> tuple[bytes, list[bytes]]:
    """Take the first byte off: it says into pieces of how many bytes the others are cut."""
    size, rest = 1 + (data[0] if data else 0), data[1:]
    return rest, [rest[at : at + size] for at in range(0, len(rest), size)]


@target(1 << 13)
def ttrpc_frames(data: bytes) -> None:
    """Frames are the same however they are cut, and hold no more than one frame's bytes."""
    whole, pieces = _pieces(data)
    reader, found = frames.FrameReader(), []
    for piece in pieces:
        found += reader.feed(piece)
        assert reader.held <= min(len(whole), frames.HEADER.size + frames.MAX_DATA)
    assert found == frames.FrameReader().feed(whole)
    rest = b""
    for frame in found:
        if isinstance(frame, frames.Frame):
            rest += frames.encode(frame.stream_id, frame.type, frame.data, frame.flags)
        else:
            assert frame.length > frames.MAX_DATA
    if all(isinstance(frame, frames.Frame) for frame in found):
        assert whole.startswith(rest)


@target(1 << 13)
def ttrpc_session(data: bytes) -> None:
    """Each call has a new odd number; each refusal is an answer that the client understands."""
    whole, pieces = _pieces(data)
    session, last = ServerSession(), 0
    events = [event for piece in pieces for event in session.receive(piece)]
    for event in events:
        if isinstance(event, Incoming):
            assert event.stream_id % 2 == 1 and event.stream_id > last
            last = event.stream_id
            metadata = messages.metadata_of(event.request.metadata)
            assert sum(map(len, metadata.values())) == len(event.request.metadata)
        else:
            _understood(event)
    assert len(events) == len(ServerSession().receive(whole))


def _understood(event: Refused) -> None:
    (frame,) = frames.FrameReader().feed(messages.error_frame(event.stream_id, event.error))
    assert isinstance(frame, frames.Frame) and frame.stream_id == event.stream_id
    try:
        messages.parse_response(frame.data)
    except RpcError as error:
        assert (error.code, error.message) == (event.error.code, event.error.message)
        assert error.code in (Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED)
    else:
        raise AssertionError("the client takes a refusal for success")


@target(1 << 12, RpcError)
def ttrpc_response(data: bytes) -> None:
    """What the runtime's own client reads from a shim."""
    assert isinstance(messages.parse_response(data), bytes)


@target(1 << 12)
def bootstrap(data: bytes) -> None:
    """The light reader finds what protobuf finds; what is no BootstrapParams is no error."""
    found = read_bootstrap(data, "c1", "tests")
    try:
        params = BootstrapParams.FromString(data)
    except DecodeError:
        return  # protobuf refuses texts that are not UTF-8 in fields that are not read here
    if found is not None:
        assert (params.instance_id, params.namespace) == ("c1", "tests")
        assert found.ttrpc_address == params.containerd_ttrpc_address
        assert found.grpc_address == params.containerd_grpc_address
        assert found.socket_directory == params.socket_dir


@target(1 << 12, ValueError)
def protobuf_wire(data: bytes) -> None:
    """What is read and written again is the same message."""
    fields = list(read_fields(data))
    written = b"".join(
        message_field(number, value) if isinstance(value, bytes) else number_field(number, value)
        for number, value in fields
    )
    again = list(read_fields(written))
    mask = (1 << 64) - 1
    expected = [(n, v) if isinstance(v, bytes) else (n, v & mask) for n, v in fields if v != 0]
    assert again == [(number, value) for number, value in expected if value != 0]


@target(1 << 12, ValueError)
def control_reply(data: bytes) -> None:
    """A supervisor's answer is success or an error that passes through a second time."""
    error = control_protocol.decode(data)
    if error is not None:
        again = control_protocol.decode(control_protocol.encode(error))
        assert (type(again), vars(again)) == (type(error), vars(error))
        assert isinstance(error, RemoteprocError) and str(error).isprintable()


@target(1 << 12, ValueError, LookupError, TypeError, RecursionError)
def supervisor_order(data: bytes) -> None:
    """An order that is understood is the same after it was sent on."""
    order = SupervisorOrder.from_json(loads(data))
    try:
        sent = dumps(order.to_json()).encode()
        assert SupervisorOrder.from_json(loads(sent)) == order
    except (ValueError, LookupError, TypeError) as error:
        raise AssertionError("the order cannot be sent on") from error
