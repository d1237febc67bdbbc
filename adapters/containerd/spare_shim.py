"""A shim in waiting: it has done what a shim can do before it knows its containers.

The fork server forks one ahead, so that a caller waits neither for the fork nor for what follows.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
from collections.abc import Callable, Sequence
from socket import recv_fds, socket
from typing import Protocol, runtime_checkable

from adapters.containerd.flags import NAME
from adapters.containerd.shim_fork_client import GO, READY
from adapters.containerd.start import LISTENER
from adapters.containerd.ttrpc.credentials import same_user
from adapters.isolation.group_moves import expect_move, version_2_mount
from adapters.linux.process import set_name, set_title
from adapters.linux.traits import traits

CALLERS = 4  # descriptors of a spare: the socket to which callers connect
SERVER = 5  # and the one to the fork server
TAKEN, STALE = b"taken", b"stale"  # what it tells the fork server when a caller has come
_WITHIN = 3.0  # seconds for a caller to say what it wants, or that the shim may begin
_REQUEST_MAX = 1 << 17  # bytes

RunShim = Callable[[Sequence[str]], object]


@runtime_checkable
class PrepareShim(Protocol):
    """Does what a shim can do before it knows its containers.

    Returns the function that runs the shim with the arguments of its program, until its end.
    """

    def __call__(self) -> RunShim: ...


def wait_for_caller(prepare: PrepareShim, is_stale: Callable[[], bool]) -> None:
    """Become the shim of the first caller. Return if there will be none, or if it must not be.

    `is_stale` says whether this code was replaced meanwhile: then another server must be started.
    """
    likeness, groups_mount = traits(), version_2_mount()
    run = prepare()
    set_name("rproc-spare")
    set_title("remoteproc-spare-shim")
    with socket(fileno=CALLERS) as callers, socket(fileno=SERVER) as server:
        connection = _next_caller(callers, server)
        if connection is None:
            return
        if groups_mount:
            expect_move(groups_mount)  # of the supervisor, once the shim has created its container
        stale = is_stale()
        with contextlib.suppress(OSError):  # the server may have ended meanwhile
            server.send(STALE if stale else TAKEN)
    with connection:
        arguments = None if stale else _take_request(connection, likeness)
    if arguments is not None:
        set_title(" ".join((NAME, *arguments)))
        run(arguments)


def _next_caller(callers: socket, server: socket) -> socket | None:
    """Return the connection to the next caller, or None if the fork server has ended."""
    callers.setblocking(False)
    poll = select.poll()
    poll.register(callers, select.POLLIN)
    poll.register(server, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if SERVER in ready:
            return None
        try:
            return callers.accept()[0]
        except OSError:
            pass  # another spare has taken the caller, or the caller has gone


def _take_request(connection: socket, likeness: str) -> Sequence[str] | None:
    """Take on what the caller gives; return the arguments, or None if this is no shim for it."""
    given: list[int] = []
    try:
        connection.settimeout(_WITHIN)
        if not same_user(connection):
            return None
        message, given, _, _ = recv_fds(connection, _REQUEST_MAX, 2)
        wanted, arguments, environment = json.loads(message)
        listener, directory = given
        if wanted != likeness:
            return None
        os.fchdir(directory)
        os.dup2(listener, LISTENER, inheritable=False)
        os.environ.clear()
        os.environ.update(environment)
        connection.send(READY)
        if connection.recv(len(GO)) != GO:
            return None
    except (OSError, ValueError):
        return None
    finally:
        for descriptor in given:
            os.close(descriptor)
    return [str(argument) for argument in arguments]
