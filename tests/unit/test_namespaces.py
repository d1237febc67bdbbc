"""Proves that a supervisor which continues as a child is known before it is ready."""

from __future__ import annotations

import json
import os
import socket
import time

from adapters.isolation.namespaces import _continue_as_child
from adapters.linux.channel import Channel
from adapters.linux.fork import fork

CREATOR = 3


class SlowChannel(Channel):
    """A channel on which the parent's message takes longer than the child's way to its own."""

    def send(self, message):
        if b"pid" in message:
            time.sleep(0.3)
        super().send(message)


def supervise():
    """Continue as a child, and be ready."""
    creator = SlowChannel(socket.socket(fileno=CREATOR))
    _continue_as_child(creator)
    creator.send(b"ready")


def continued():
    """Start a process that continues as its child; return the channel to it, and its pid."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10.0)
    with theirs:
        pid = fork(supervise, {}, {0: None, 1: None, 2: None, CREATOR: theirs.fileno()})
    return Channel(ours), pid


def test_the_creator_knows_the_child_before_it_is_ready():
    creator, pid = continued()
    child = json.loads(creator.receive())["pid"]
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert child != pid
    creator.send(b"known")
    assert creator.receive() == b"ready"
    creator.close()


def test_the_child_ends_when_the_creator_has_given_up():
    creator, pid = continued()
    child = json.loads(creator.receive())["pid"]
    os.waitpid(pid, 0)
    creator.close()
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{child}/exe") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{child}/exe")
