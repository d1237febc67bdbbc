"""The supervisor's program. It imports little: it stays in memory once per container."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

from adapters.linux.files import open_stdio
from adapters.linux.process import set_name
from adapters.supervisor import control_protocol
from adapters.supervisor.console_input import Input
from adapters.supervisor.output import Output
from adapters.supervisor.session import ProcessorSession
from adapters.supervisor.supervisor import Supervisor
from adapters.supervisor.supervisors import CREATOR
from bootstrap.factories import open_from_args
from domain.container import Owner
from domain.errors import RemoteprocError
from domain.firmware import FirmwareImage


def main() -> None:
    """Take the order from the creator, say that all is ready, supervise, exit as the container."""
    creator = socket.socket(fileno=CREATOR)
    creator.set_inheritable(False)
    _close_strangers()
    try:
        order = json.loads(creator.recv(control_protocol.LIMIT))
        if order["namespaces"]:
            _enter(order, creator)
        supervisor = _prepare(order, creator)
    except RemoteprocError as error:
        creator.send(control_protocol.encode(error))
        sys.exit(1)
    creator.send(control_protocol.encode(None))
    os._exit(supervisor.run())


def _enter(order: dict[str, Any], creator: socket.socket) -> None:
    """Enter namespaces, going on as another process if need be."""
    from adapters.isolation.namespaces import NamespaceSetup
    from domain.linux_config import Namespace

    needed = (order["directory"], sys.prefix, sys.path[-1])
    setup = NamespaceSetup([Namespace(*each) for each in order["namespaces"]], needed)
    setup.apply(creator, order["hostname"])
    order["warnings"] += setup.warnings


def _prepare(order: dict[str, Any], creator: socket.socket) -> Supervisor:
    set_name(f"rproc:{order['id']}")
    directory = os.open(order["directory"], os.O_RDONLY | os.O_DIRECTORY)
    os.umask(0o077)
    os.chdir("/")
    processor, leases = open_from_args(order["processor"])
    terminal = order["terminal"]
    output = Output(directory, terminal=terminal)
    for text in order["warnings"]:
        output.remark(text)
    return Supervisor(
        firmware=FirmwareImage(**order["firmware"]) if order["firmware"] else None,
        stops=frozenset(order["stops"]),
        processor=processor,
        session=ProcessorSession(processor, leases, Owner(order["id"], order["root"])),
        directory=directory,
        creator=creator,
        stdin=Input(0 if order["interactive"] else -1, terminal=terminal),
        output=output,
    )


def _close_strangers() -> None:
    """Close what the caller's caller left open, and open what it left closed (stdio)."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > CREATOR:
            try:
                os.close(int(name))
            except OSError:
                pass  # the listing's own descriptor
    open_stdio()
