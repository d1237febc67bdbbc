"""A server on real sockets: concurrency, deadlines, refusals, vanishing peers, shutdown."""

from __future__ import annotations

import errno
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time

import pytest
from google.protobuf.wrappers_pb2 import BytesValue, DoubleValue, StringValue

from adapters.containerd.ttrpc import frames, messages, threads
from adapters.containerd.ttrpc.client import Client
from adapters.containerd.ttrpc.envelope_pb2 import Request
from adapters.containerd.ttrpc.errors import Closed, Code, RpcError
from adapters.containerd.ttrpc.server import Server
from adapters.containerd.ttrpc.session import ServerSession
from tests.unit.ttrpc.harness import SERVICE, Handlers, InThread, Running, eventually


def echo(client, text="hello", **options):
    return client.call(SERVICE, "Echo", StringValue(value=text), StringValue, **options).value


def raw_call(stream_id, method="Echo", value="x", timeout=None):
    payload = StringValue(value=value).SerializeToString()
    return messages.request_frame(stream_id, SERVICE, method, payload, timeout)


def raw_answers(sock, count):
    reader = frames.FrameReader()
    found: list[frames.Frame | frames.Oversized] = []
    while len(found) < count:
        chunk = sock.recv(65536)
        assert chunk, f"closed after {found}"
        found += reader.feed(chunk)
    return found


def code_of(frame):
    try:
        messages.parse_response(frame.data)
    except RpcError as error:
        return error.code
    return Code.OK


# Calls


def test_an_answer_comes_back_with_metadata_and_deadline_known_to_the_handler(running):
    with running.client() as client:
        pairs = {"containerd-namespace-ttrpc": ["default"], "two": ["a", "b"]}
        assert echo(client, metadata=pairs, timeout=60) == "hello"
        assert echo(client) == "hello"
    first, second = running.handlers.contexts
    assert first.metadata == pairs
    assert 50 < first.remaining() <= 60
    assert (first.service, first.method) == (SERVICE, "Echo")
    assert (second.metadata, second.deadline, second.remaining()) == ({}, None, None)
    assert not first.cancelled.is_set()


def test_empty_is_a_payload_of_no_bytes_both_ways(running):
    with running.raw() as sock:
        sock.sendall(messages.request_frame(1, SERVICE, "Swallow", b""))
        (answer,) = raw_answers(sock, 1)
        # Status present and zero, no payload, as the Go server answers.
        assert answer.data == b"\x0a\0"


def test_answers_come_out_of_order(running):
    with running.client() as client:
        slow = InThread(client.call, SERVICE, "Wait", StringValue(value="slow"), StringValue)
        eventually(lambda: running.handlers.contexts)
        assert echo(client) == "hello"
        assert slow.is_alive()
        running.handlers.release.set()
        slow.join()
        assert slow.outcome.value == "slow"


def test_hundreds_of_calls_in_flight_on_one_connection(running):
    with running.client() as client:
        waits = [
            InThread(client.call, SERVICE, "Wait", StringValue(value=str(n)), StringValue)
            for n in range(300)
        ]
        eventually(lambda: len(running.handlers.contexts) == 300)
        assert echo(client, "meanwhile") == "meanwhile"
        running.handlers.release.set()
        for n, wait in enumerate(waits):
            wait.join(20)
            assert wait.outcome.value == str(n)


def test_many_connections_each_with_many_calls(running):
    def work(number):
        with running.client() as client:
            return [echo(client, f"{number}.{n}") for n in range(50)]

    threads = [InThread(work, number) for number in range(20)]
    for number, thread in enumerate(threads):
        thread.join(60)
        assert thread.outcome == [f"{number}.{n}" for n in range(50)]


def test_large_messages_cross_each_other(running):
    with running.client() as client:
        data = os.urandom(4_000_000)

        def trip():
            return client.call(SERVICE, "EchoBytes", BytesValue(value=data), BytesValue).value

        threads = [InThread(trip) for _ in range(8)]
        for thread in threads:
            thread.join(60)
            assert thread.outcome == data


# Errors


@pytest.mark.parametrize(
    ("service", "method", "code", "message"),
    [
        ("no.Such", "Echo", Code.UNIMPLEMENTED, "service no.Such"),
        (SERVICE, "Nope", Code.UNIMPLEMENTED, "method Nope"),
    ],
)
def test_unknown_names_are_unimplemented(running, service, method, code, message):
    with running.client() as client:
        with pytest.raises(RpcError) as caught:
            client.call(service, method, None, StringValue)
        assert (caught.value.code, caught.value.message) == (code, message)
        assert echo(client) == "hello"


def test_a_handlers_status_is_sent_as_it_is(running):
    with running.client() as client, pytest.raises(RpcError) as caught:
        client.call(SERVICE, "Fail", StringValue(value="status"), StringValue)
    assert (caught.value.code, caught.value.message) == (Code.NOT_FOUND, "no m4")
    assert [(d.type_url, d.value) for d in caught.value.details] == [("t", b"v")]


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ("two\nlines", "KeyError: 'two\\nlines'"),
        ("exit", "SystemExit: 3"),
        ("nonsense", "AttributeError: 'int' object has no attribute 'SerializeToString'"),
    ],
)
def test_any_other_exception_is_unknown_with_one_line(running, cause, message):
    with running.client() as client:
        with pytest.raises(RpcError) as caught:
            client.call(SERVICE, "Fail", StringValue(value=cause), StringValue)
        assert (caught.value.code, caught.value.message) == (Code.UNKNOWN, message)
        assert echo(client) == "hello"


def test_the_application_maps_its_own_exceptions(start):
    def map_error(error):
        if error.args == ("broken",):
            raise RuntimeError("the map\nfails")
        return RpcError(Code.ABORTED, "mapped") if error.args == ("known",) else None

    with start(map_error=map_error).client() as client:
        expected = {
            "known": (Code.ABORTED, "mapped"),
            "other": (Code.UNKNOWN, "KeyError: 'other'"),
            "broken": (Code.UNKNOWN, "RuntimeError: the map fails"),
        }
        for cause, status in expected.items():
            with pytest.raises(RpcError) as caught:
                client.call(SERVICE, "Fail", StringValue(value=cause), StringValue)
            assert (caught.value.code, caught.value.message) == status


def test_a_garbled_payload_is_an_invalid_argument(running):
    with running.raw() as sock:
        sock.sendall(messages.request_frame(1, SERVICE, "Echo", b"\xff"))
        assert code_of(raw_answers(sock, 1)[0]) == Code.INVALID_ARGUMENT


def test_wrong_frames_are_answered_on_their_stream_and_the_connection_lives_on(running):
    with running.raw() as sock:
        sock.sendall(raw_call(4) + raw_call(3))
        assert {(a.stream_id, code_of(a)) for a in raw_answers(sock, 2)} == {(4, 3), (3, 0)}
        sock.sendall(raw_call(3) + frames.encode(5, frames.DATA, b"") + frames.encode(5, 9, b""))
        assert {(a.stream_id, code_of(a)) for a in raw_answers(sock, 2)} == {(3, 3), (5, 3)}
        sock.sendall(raw_call(7))
        assert code_of(raw_answers(sock, 1)[0]) == Code.OK


def test_an_oversized_frame_is_answered_and_the_connection_lives_on(running):
    with running.raw() as sock:
        length = 32 << 20
        sock.sendall(frames.HEADER.pack(length, 1, frames.REQUEST, 0))
        for _ in range(length >> 16):
            sock.sendall(bytes(1 << 16))
        sock.sendall(raw_call(3))
        first, second = raw_answers(sock, 2)
        assert (first.stream_id, code_of(first)) == (1, Code.RESOURCE_EXHAUSTED)
        assert (second.stream_id, code_of(second)) == (3, Code.OK)


def test_an_answer_too_large_is_an_error(running):
    with running.client() as client:
        with pytest.raises(RpcError) as caught:
            client.call(SERVICE, "BlowUp", DoubleValue(value=frames.MAX_DATA), BytesValue)
        assert caught.value.code == Code.RESOURCE_EXHAUSTED
        assert echo(client) == "hello"


def test_data_on_a_unary_stream_ends_the_call_with_one_answer(running):
    with running.raw() as sock:
        sock.sendall(raw_call(1, "Wait") + frames.encode(1, frames.DATA, b""))
        answer = raw_answers(sock, 1)[0]
        assert (answer.stream_id, code_of(answer)) == (1, Code.INVALID_ARGUMENT)
        assert running.handlers.cancelled.acquire(timeout=10)
        sock.sendall(raw_call(3))
        assert [a.stream_id for a in raw_answers(sock, 1)] == [3]


def test_calls_beyond_the_limit_are_refused_until_others_end(start):
    running = start(limit=3)
    with running.client() as client:
        waits = [
            InThread(client.call, SERVICE, "Wait", StringValue(), StringValue) for _ in range(3)
        ]
        eventually(lambda: len(running.handlers.contexts) == 3)
        with pytest.raises(RpcError) as caught:
            echo(client)
        assert caught.value.code == Code.RESOURCE_EXHAUSTED
        running.handlers.release.set()
        for wait in waits:
            wait.join()
        eventually(lambda: echo(client) == "hello")


def test_a_name_is_registered_once():
    server = Server()
    server.register(SERVICE, {})
    with pytest.raises(ValueError, match=SERVICE):
        server.register(SERVICE, {})


# Deadlines


def test_at_the_deadline_the_caller_is_answered_and_the_handler_cancelled(running):
    with running.raw() as sock:
        begun = time.monotonic()
        sock.sendall(raw_call(1, "Wait", timeout=0.2))
        answer = raw_answers(sock, 1)[0]
        took = time.monotonic() - begun
        assert code_of(answer) == Code.DEADLINE_EXCEEDED
        assert 0.2 <= took < 10
        assert running.handlers.cancelled.acquire(timeout=10)
        # The handler's own answer, which comes later, is not sent.
        sock.sendall(raw_call(3))
        assert [a.stream_id for a in raw_answers(sock, 1)] == [3]


def test_many_deadlines_are_each_kept(running):
    with running.raw() as sock:
        for n in range(100):
            sock.sendall(raw_call(2 * n + 1, "Wait", timeout=0.1 + 0.005 * (n * 37 % 100)))
        answers = raw_answers(sock, 100)
        assert {code_of(a) for a in answers} == {Code.DEADLINE_EXCEEDED}
        assert len({a.stream_id for a in answers}) == 100


def test_a_deadline_in_the_past_is_answered_without_asking_the_handler(running):
    request = Request(service=SERVICE, method="Echo", timeout_nano=-1)
    with running.raw() as sock:
        sock.sendall(frames.encode(1, frames.REQUEST, request.SerializeToString()))
        assert code_of(raw_answers(sock, 1)[0]) == Code.DEADLINE_EXCEEDED
        sock.sendall(raw_call(3, "Wait", timeout=1e-9))
        assert code_of(raw_answers(sock, 1)[0]) == Code.DEADLINE_EXCEEDED
    assert len(running.handlers.contexts) <= 1


def test_the_farthest_deadline_is_taken(running):
    request = Request(service=SERVICE, method="Echo", timeout_nano=2**63 - 1)
    with running.raw() as sock:
        sock.sendall(frames.encode(1, frames.REQUEST, request.SerializeToString()))
        assert code_of(raw_answers(sock, 1)[0]) == Code.OK


# Peers that go


def test_a_peer_that_vanishes_cancels_its_calls_and_no_others(running):
    with running.client() as other:
        kept = InThread(other.call, SERVICE, "Wait", StringValue(value="kept"), StringValue)
        sock = running.raw()
        for n in range(50):
            sock.sendall(raw_call(2 * n + 1, "Wait"))
        eventually(lambda: len(running.handlers.contexts) == 51)
        sock.close()
        for _ in range(50):
            assert running.handlers.cancelled.acquire(timeout=10)
        assert not running.handlers.cancelled.acquire(timeout=0.05)
        assert sum(c.cancelled.is_set() for c in running.handlers.contexts) == 50
        running.handlers.release.set()
        kept.join()
        assert kept.outcome.value == "kept"


def test_a_peer_that_vanishes_in_mid_frame_or_mid_answer_harms_nobody(running):
    big = BytesValue(value=bytes(3 << 20)).SerializeToString()
    for n in range(60):
        sock = running.raw()
        if n % 2:
            sock.sendall(messages.request_frame(1, SERVICE, "EchoBytes", big))
        else:
            sock.sendall(raw_call(1)[: n + 1])
        sock.close()
    with running.client() as client:
        assert echo(client) == "hello"


def test_a_peer_that_does_not_read_holds_up_only_itself(running):
    with running.raw() as greedy, running.client() as client:
        payload = BytesValue(value=bytes(1 << 20)).SerializeToString()
        greedy.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                greedy.sendall(messages.request_frame(2 * sent + 1, SERVICE, "EchoBytes", payload))
                sent += 1
        # It was stopped soon, by not being read from either.
        assert sent < 40
        assert echo(client) == "hello"


def test_another_user_is_turned_away_if_only_the_same_may_call(start):
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    connect = (
        "import os, socket, sys\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "os.setuid(int(sys.argv[2]))\n"
        "s.connect(sys.argv[1])\n"
        "try:\n"
        "    s.sendall(bytes.fromhex(sys.argv[3]))\n"
        "    print('answered' if s.recv(1) else 'refused')\n"
        "except (BrokenPipeError, ConnectionResetError): print('refused')\n"
    )

    def try_as(uid, running):
        os.chmod(running.path, 0o777)
        folder, name = os.path.split(running.path)
        os.chmod(folder, 0o755)
        # What leads to the folder may be closed to others: they connect from within it.
        command = [sys.executable, "-c", connect, name, str(uid), raw_call(1).hex()]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        return done.stdout.strip()

    running = start(same_user_only=True)
    assert try_as(65534, running) == "refused"
    assert try_as(0, running) == "answered"
    assert try_as(65534, start()) == "answered"
    with running.client() as client:
        assert echo(client) == "hello"


def test_running_out_of_descriptors_is_survived(running):
    with running.client() as client:
        # Accepted before there is nothing left to accept with.
        assert echo(client) == "hello"
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 2, hard))
        holes = []
        try:
            try:
                while True:
                    holes.append(os.dup(0))
            except OSError:
                pass
            for sock in waiting:
                sock.connect(running.path)
            assert echo(client) == "hello"
            begun = time.process_time()
            time.sleep(0.4)
            # It pauses instead of spinning.
            assert time.process_time() - begun < 0.1
        finally:
            for fd in holes:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for sock in waiting:
            sock.settimeout(10)
            sock.sendall(raw_call(1))
            assert code_of(raw_answers(sock, 1)[0]) == Code.OK
            sock.close()


def test_the_loop_survives_an_error_on_one_connection(running, monkeypatch):
    real = ServerSession.receive

    def receive(self, chunk):
        if b"poison" in chunk:
            raise MemoryError("planted")
        return real(self, chunk)

    monkeypatch.setattr(ServerSession, "receive", receive)
    with running.client() as client, running.raw() as poisoned:
        poisoned.sendall(raw_call(1, value="poison"))
        assert poisoned.recv(1) == b""
        assert echo(client) == "hello"
    with running.client() as client:
        assert echo(client) == "hello"


def test_the_loop_survives_a_connection_that_the_system_does_not_accept(running, monkeypatch):
    real, left = socket.socket.accept, [2]

    def accept(self):
        if left[0]:
            left[0] -= 1
            raise PermissionError(errno.EPERM, "planted")
        return real(self)

    monkeypatch.setattr(socket.socket, "accept", accept)
    with running.client() as client:
        assert echo(client) == "hello"
    assert left == [0]


def test_a_call_for_which_there_is_no_thread_is_refused_and_the_next_one_served(
    running, monkeypatch
):
    def refuse(target):
        raise RuntimeError("can't start new thread")

    with running.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(threads, "start", refuse)
            with pytest.raises(RpcError) as caught:
                echo(client)
        assert caught.value.code == Code.RESOURCE_EXHAUSTED
        assert echo(client) == "hello"


def test_a_response_that_cannot_be_encoded_is_an_error(running, monkeypatch):
    def fail(stream_id, payload):
        raise MemoryError("planted")

    with running.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(messages, "response_frame", fail)
            with pytest.raises(RpcError) as caught:
                echo(client, timeout=5)
        assert (caught.value.code, "planted" in caught.value.message) == (Code.INTERNAL, True)
        assert echo(client) == "hello"


# Shutdown


def test_shutdown_answers_what_is_in_flight_then_closes(running):
    client, idle = running.client(), running.client()
    with client, idle:
        waits = [
            InThread(client.call, SERVICE, "Wait", StringValue(value=str(n)), StringValue)
            for n in range(20)
        ]
        eventually(lambda: len(running.handlers.contexts) == 20)
        running.server.shutdown()
        # An idle connection is closed at once, the listener as well.
        eventually(lambda: idle.closed)
        with pytest.raises(ConnectionRefusedError):
            running.client()
        with pytest.raises(RpcError) as caught:
            echo(client)
        assert caught.value.code == Code.UNAVAILABLE
        assert running.thread.is_alive()
        running.handlers.release.set()
        for n, wait in enumerate(waits):
            wait.join(10)
            assert wait.outcome.value == str(n)
        running.thread.join(10)
        assert not running.thread.is_alive()
        eventually(lambda: client.closed)


def test_the_handler_that_shuts_down_is_answered_first():
    for _ in range(30):
        ours, theirs = socket.socketpair()
        server = Server()

        def shut_down(context, request, server=server):
            return server.shutdown()

        server.register("s", {"Shutdown": (StringValue, shut_down)})
        thread = InThread(server.serve, ours)
        with Client(theirs) as client:
            client.call("s", "Shutdown", None, StringValue)
            thread.join(10)
            assert not thread.is_alive()


def test_a_large_answer_is_flushed_before_closing():
    ours, theirs = socket.socketpair()
    handlers, server = Handlers(), Server()
    server.register(SERVICE, handlers.methods())
    thread = InThread(server.serve, ours)
    with theirs:
        theirs.sendall(
            messages.request_frame(
                1, SERVICE, "BlowUp", DoubleValue(value=4_000_000).SerializeToString()
            )
        )
        theirs.recv(1, socket.MSG_PEEK)
        server.shutdown()
        time.sleep(0.1)
        assert thread.is_alive()
        assert len(raw_answers(theirs, 1)[0].data) > 4_000_000
        assert theirs.recv(1) == b""
    thread.join(10)
    assert thread.outcome is None


def test_after_the_grace_calls_are_cancelled(running):
    with running.client() as client:
        wait = InThread(client.call, SERVICE, "Wait", StringValue(), StringValue)
        eventually(lambda: running.handlers.contexts)
        running.server.shutdown(0.2)
        running.thread.join(10)
        assert not running.thread.is_alive()
        wait.join(10)
        assert isinstance(wait.outcome, Closed)
        assert running.handlers.cancelled.acquire(timeout=10)


def test_a_connected_socket_is_served_until_the_peer_closes_it():
    ours, theirs = socket.socketpair()
    server = Server()
    server.register(SERVICE, Handlers().methods())
    thread = InThread(server.serve, ours)
    with Client(theirs) as client:
        assert echo(client) == "hello"
    thread.join(10)
    assert thread.outcome is None
    # Late is harmless.
    server.shutdown()


def test_an_inherited_listener_is_served(tmp_path):
    program = (
        "import socket, signal\n"
        "from google.protobuf.wrappers_pb2 import StringValue\n"
        "from adapters.containerd.ttrpc.server import Server\n"
        "server = Server()\n"
        "server.register('test.v1.Test', {'Echo': (StringValue, lambda c, r: r)})\n"
        "signal.signal(signal.SIGTERM, lambda *_: server.shutdown(1))\n"
        "server.serve(socket.socket(fileno=3))\n"
        "print('served')\n"
    )
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        # As a shell would: the descriptor is to be number 3 in the child.
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            preexec_fn=lambda: os.dup2(listener.fileno(), 3),
            pass_fds=[3] if listener.fileno() == 3 else [3, listener.fileno()],
        )
    with Client.connect(path) as client:
        assert echo(client) == "hello"
        child.terminate()
        assert child.communicate(timeout=20)[0] == b"served\n"
        assert child.returncode == 0
        eventually(lambda: client.closed)


# The rest


def test_the_deepest_recursion_of_a_c_parser_fits_the_handlers_stack():
    ours, theirs = socket.socketpair()
    server = Server()

    def parse(context, request):
        text = "[" * 200_000
        try:
            json.loads(text)
        except RecursionError:
            return StringValue(value="refused")

    server.register("s", {"Parse": (StringValue, parse)})
    thread = InThread(server.serve, ours)
    with Client(theirs) as client:
        assert client.call("s", "Parse", None, StringValue).value == "refused"
    thread.join(10)


def test_the_processs_stack_size_is_left_alone(running):
    """It is another one just while a thread is started."""
    with running.client() as client:
        echo(client)
    eventually(lambda: threading.stack_size() == 0)


def cpu_seconds(seconds):
    """Return what this process computes within so many seconds; other tests' threads may end."""
    begun = time.process_time()
    time.sleep(seconds)
    return time.process_time() - begun


def test_an_idle_server_is_one_thread_that_sleeps(running):
    with running.client() as client:
        threads = len(os.listdir("/proc/self/task"))
        for _ in range(50):
            echo(client)
        eventually(lambda: len(os.listdir("/proc/self/task")) <= threads)
        eventually(lambda: cpu_seconds(0.5) < 0.02)


def test_a_server_that_nobody_uses_ends(tmp_path):
    used = threading.Event()
    used.set()
    running = Running(tmp_path / "s")
    running.server.end_unused(lambda: not used.is_set(), 0.05)
    client = running.client()
    client.call(SERVICE, "Echo", StringValue(value="a"), StringValue)
    client.close()
    running.thread.join(0.3)
    assert running.thread.is_alive(), "it has something to do"
    client = running.client()  # before it may end
    used.clear()
    client.call(SERVICE, "Echo", StringValue(value="b"), StringValue)
    running.thread.join(0.3)
    assert running.thread.is_alive(), "it has a client"
    client.close()
    running.thread.join(10)
    assert not running.thread.is_alive()
