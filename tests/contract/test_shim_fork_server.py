"""Proves whom the fork server serves, what a forked shim has from it, and that it may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import time

import pytest

from adapters.containerd import shim_fork_client, shim_fork_server, spare_shim
from adapters.containerd.shim_fork_client import request_shim
from adapters.containerd.shim_fork_server import ShimForkServer
from adapters.containerd.sockets import listen
from adapters.containerd.start import LISTENER
from adapters.linux.libc import CLONE_NEWNS, unshare
from adapters.linux.process_tree import children
from tests.contract.children import deadly, kill, spawn, status_of
from tests.waiting import wait_until

ENVIRONMENT = {"PATH": "/bin", "COLOUR": "blåhvalgrå"}
CALLS = ("_fork_spare", "fork", "socketpair", "_wait_for", "_readable", "recv")
BEFORE = ("traits", "_next_caller", "_file_state", "same_user", "recv_fds", "fchdir", "dup2")
# Who dies at one of these has been announced as a shim. It is as with any shim that is killed:
# containerd calls `delete`.
ANNOUNCED = ("recv", "set_title", "answer_once")
ANNOUNCED_AFTER = (("send", True), ("_take_request", True))
SHIMS = (*BEFORE, "send", "_take_request", *ANNOUNCED)


def answer_once(arguments):
    """Stand for a shim: tell one client what this process is, and end."""
    while len(os.listdir("/proc/self/task")) > 1:
        time.sleep(0.001)  # the thread that expects a move has a file open for a moment
    descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1]
    listener = socket.socket(fileno=LISTENER)
    client, _ = listener.accept()
    with open("/proc/self/cmdline", encoding="utf-8") as file:
        title = file.read().rstrip("\0")
    told = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "arguments": list(arguments),
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "descriptors": descriptors,
        "SIGCHLD": signal.getsignal(signal.SIGCHLD),
        "title": title,
    }
    client.send(json.dumps(told).encode())


class Place:
    """A directory of servers' sockets, and shims' listeners."""

    def __init__(self, folder):
        self.folder = folder
        self.sockets = f"{folder}/forks"
        self.servers = []
        self.count = 0

    def listener(self):
        self.count += 1
        bound = listen(f"{self.folder}/shim{self.count}")
        assert bound is not None
        return socket.socket(fileno=bound.detach())

    def serve(self, prepare=lambda: None):
        """Start a server; return its pid. `prepare` is called in it first."""
        reader, writer = os.pipe()

        def body():
            prepare()
            server = ShimForkServer(self.sockets, lambda: run_shim)
            assert server.open()
            os.write(writer, b"!")
            server.serve()

        self.servers.append(spawn(body))
        assert os.read(reader, 1) == b"!"
        os.close(reader)
        os.close(writer)
        return self.servers[-1]

    def request(self, listener, arguments=("-id", "one", "start")):
        return request_shim(self.sockets, arguments, ENVIRONMENT, listener.fileno())

    def told(self, listener):
        """Return what the shim at the listener tells of itself."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(listener.getsockname())
            return json.loads(client.recv(1 << 16))

    def close(self):
        for server in self.servers:
            shims = children(server)
            kill(server)
            for pid in shims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def run_shim(arguments):
    answer_once(arguments)
    os._exit(0)


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_a_shim_has_what_its_caller_gives_and_no_more(place, tmp_path, monkeypatch):
    server = place.serve()
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    monkeypatch.chdir(bundle)
    listener = place.listener()
    assert place.request(listener)
    told = place.told(listener)
    assert told.pop("pid") == told.pop("session")
    assert told == {
        "parent": server,
        "arguments": ["-id", "one", "start"],
        "environment": ENVIRONMENT,
        "directory": str(bundle),
        "descriptors": [0, 1, 2, LISTENER],
        "SIGCHLD": signal.SIG_DFL,
        "title": told["title"],
    }


def test_each_caller_has_a_shim_of_its_own(place):
    place.serve()
    listeners = [place.listener() for _ in range(5)]
    assert all(place.request(listener) for listener in listeners)
    assert len({place.told(listener)["pid"] for listener in listeners}) == 5


def test_without_a_server_there_is_no_shim(place):
    assert not place.request(place.listener())
    os.mkdir(place.sockets, 0o700)
    assert not place.request(place.listener())


def test_there_is_one_server(place):
    place.serve()
    assert not ShimForkServer(place.sockets, lambda: run_shim).open()


def test_a_dead_servers_address_is_taken(place):
    kill(place.serve())
    assert len(os.listdir(place.sockets)) == 1
    place.serve()
    listener = place.listener()
    assert place.request(listener) and place.told(listener)


def other_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))


def other_version():
    vars(shim_fork_client)["__version__"] = "0.0.0"


def other_oom_score():
    with open("/proc/self/oom_score_adj", "r+") as file:
        file.write(str(int(file.read()) + 7))


UNLIKE = {
    "version": other_version,
    "limit": other_limit,
    "umask": lambda: os.umask(0o027),
    "priority": lambda: os.nice(3),
    "OOM score": other_oom_score,
    "groups": lambda: os.setgroups([12345]),
    "mount namespace": lambda: unshare(CLONE_NEWNS),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_unlike_callers_have_other_servers(place, name):
    if name in ("groups", "mount namespace") and os.geteuid() != 0:
        pytest.skip("only root can become so")
    place.serve()

    def caller():
        UNLIKE[name]()
        assert not place.request(place.listener())
        assert ShimForkServer(place.sockets, lambda: run_shim).open()

    assert status_of(spawn(caller)) == 0
    assert len(os.listdir(place.sockets)) == 2


def names_of(pids):
    """Return what `ps -e` shows of the processes that have not ended meanwhile."""
    found = []
    for pid in pids:
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/comm") as file:
            found.append(file.read().strip())
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_not_served(place):
    server = place.serve()
    (name,) = os.listdir(place.sockets)
    directory = os.open(place.sockets, os.O_PATH)

    def other():
        os.setuid(12345)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(f"/proc/self/fd/{directory}/{name}")
            client.settimeout(5)
            try:
                assert client.recv(10) == b""
            except ConnectionResetError:
                pass

    os.chmod(place.sockets, 0o755)
    os.chmod(f"{place.sockets}/{name}", 0o777)
    assert status_of(spawn(other)) == 0
    os.close(directory)
    wait_until(lambda: names_of(children(server)) == ["rproc-spare"])  # and no shim


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize("change", [lambda p: os.chown(p, 12345, 0), lambda p: os.chmod(p, 0o722)])
def test_a_directory_that_others_write_is_not_used(place, change):
    place.serve()
    change(place.sockets)
    assert not place.request(place.listener())
    assert not ShimForkServer(place.sockets, lambda: run_shim).open()


def test_a_server_whose_code_was_replaced_makes_room(place, tmp_path):
    module = tmp_path / "code.py"
    module.write_text("")

    def prepare():
        shim_fork_server._SOURCES = str(tmp_path)
        shim_fork_server.__file__ = str(module)  # of a module that the server has loaded

    server = place.serve(prepare)
    first = place.listener()
    assert place.request(first) and place.told(first)
    module.write_text("x = 1\n")
    assert not place.request(place.listener())
    assert status_of(server) == 0 and os.listdir(place.sockets) == []


def test_a_server_ends_when_it_is_idle_but_not_before_its_shims(place):
    def prepare():
        shim_fork_server._IDLE = 0.5

    server = place.serve(prepare)
    listener = place.listener()
    assert place.request(listener)
    (name,) = os.listdir(place.sockets)
    os.utime(f"{place.sockets}/{name}", (0, 0))  # as a caller changes them in a later second
    time.sleep(1.2)
    assert os.waitpid(server, os.WNOHANG) == (0, 0)
    place.told(listener)
    assert status_of(server) == 0 and os.listdir(place.sockets) == []


def test_a_server_that_does_not_answer_loses_its_address(place, monkeypatch):
    server = place.serve()
    os.kill(server, signal.SIGSTOP)
    shims = []
    with monkeypatch.context() as patch:
        patch.setattr(shim_fork_client, "_WITHIN", 0.3)
        while place.request(listener := place.listener()):  # a spare may be there already
            shims.append(place.told(listener))
    assert len(shims) <= 1
    assert os.listdir(place.sockets) == []
    place.serve()
    assert place.request(listener)
    os.kill(server, signal.SIGCONT)  # its next spare finds that the caller has given up
    place.told(listener)
    wait_until(lambda: len(children(server)) == 1)


def test_spares_that_are_killed_are_replaced(place):
    server = place.serve()
    killed: set[int] = set()
    for _ in range(3):
        (spare,) = wait_until(lambda: {*children(server)} - killed)
        os.kill(spare, signal.SIGKILL)
        killed.add(spare)
    listener = place.listener()
    assert place.request(listener) and place.told(listener)["parent"] == server


def test_a_spare_ends_with_its_server(place):
    server = place.serve()
    (spare,) = wait_until(lambda: children(server))
    descriptor = os.pidfd_open(spare)
    kill(server)
    assert select.select([descriptor], [], [], 10)[0]
    os.close(descriptor)


def test_a_caller_that_says_nothing_holds_up_others_for_a_while_only(place):
    def prepare():
        spare_shim._WITHIN = 0.5

    place.serve(prepare)
    (name,) = os.listdir(place.sockets)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(f"{place.sockets}/{name}")
        for garbage in (b"", b"{", b"[]", b"[1, 2]"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.connect(f"{place.sockets}/{name}")
                client.send(garbage)
        listener = place.listener()
        assert place.request(listener) and place.told(listener)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("who", "name"), [*(("server", call) for call in CALLS), *(("shim", call) for call in SHIMS)]
)
def test_a_death_at_any_moment_leaves_one_shim_or_none(place, monkeypatch, who, name, after):
    """The server, or a shim, is killed right before or after one of the calls it makes."""
    monkeypatch.setattr(shim_fork_client, "_WITHIN", 0.7)

    def prepare():
        me = os.getpid()

        def mine():
            return (os.getpid() == me) == (who == "server")

        class Socket(socket.socket):
            """So that its methods can be replaced."""

        vars(shim_fork_server)["socket"] = vars(spare_shim)["socket"] = Socket
        vars(socket)["socket"] = Socket  # accept() makes one
        if name in ("send", "recv"):
            setattr(Socket, name, deadly(getattr(socket.socket, name), mine, after=after))
        modules = (shim_fork_server, spare_shim, os, __import__(__name__, fromlist=["x"]))
        for place_of_name in (*modules, ShimForkServer):
            if name in vars(place_of_name):
                setattr(
                    place_of_name, name, deadly(getattr(place_of_name, name), mine, after=after)
                )

    place.serve(prepare)
    time.sleep(0.2)  # the server has loaded all
    listener = place.listener()
    if place.request(listener):
        if who == "shim" and (name in ANNOUNCED or (name, after) in ANNOUNCED_AFTER):
            return
        assert place.told(listener)["arguments"] == ["-id", "one", "start"]
        return
    # No shim has the listener, so the caller may start one.
    listener.setblocking(False)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listener.getsockname())
        time.sleep(0.3)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        listener.accept()
