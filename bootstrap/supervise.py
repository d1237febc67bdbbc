"""The supervisor's program. It imports little, since every container keeps it in memory."""

from __future__ import annotations

import json
import os
import socket
import sys

from adapters.linux.channel import Channel
from adapters.linux.files import close_all_but, open_directory, open_stdio
from adapters.linux.process import set_name, set_title
from adapters.supervisor import control_protocol
from adapters.supervisor.order import CREATOR, SupervisorOrder
from adapters.supervisor.supervisor import Supervisor
from bootstrap.wiring import SupervisorProcess
from domain.errors import RemoteprocError

_SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> None:
    """Take the creator's order, tell the creator that all is ready, supervise, exit."""
    connection = socket.socket(fileno=CREATOR)
    connection.set_inheritable(False)
    creator = Channel(connection)
    # The creator's caller may have left descriptors open, and stdio closed.
    close_all_but(range(CREATOR + 1))
    open_stdio()
    try:
        supervisor = _prepare(creator)
    except ConnectionError:
        os._exit(1)  # the creator has died, or has given up
    os._exit(supervisor.run())


def _prepare(creator: Channel) -> Supervisor:
    """Take the creator's order, and tell it that all is ready, or what failed."""
    message = creator.receive()
    if not message:
        os._exit(1)
    try:
        order = SupervisorOrder.from_json(json.loads(message))
        if order.namespaces:
            order = _enter_namespaces(order, creator)
        supervisor = _make(order, creator)
    except RemoteprocError as error:
        creator.send(control_protocol.encode(error))
        os._exit(1)
    creator.send(control_protocol.encode(None))
    return supervisor


def _enter_namespaces(order: SupervisorOrder, creator: Channel) -> SupervisorOrder:
    """Enter the namespaces; for a pid or time namespace a child process continues here."""
    from adapters.isolation.namespaces import NamespaceSetup

    setup = NamespaceSetup(order.namespaces, (order.directory, sys.prefix, _SOURCES))
    setup.apply(creator, order.hostname)
    return order._replace(warnings=(*order.warnings, *setup.warnings))


def _make(order: SupervisorOrder, creator: Channel) -> Supervisor:
    set_name(f"rproc:{order.id}")
    set_title(f"remoteproc-supervisor {order.id}")
    directory = open_directory(order.directory)
    os.umask(0o077)
    os.chdir("/")
    process = SupervisorProcess(order, creator, directory)
    for text in order.warnings:
        process.output().remark(text)
    return process.supervisor()
