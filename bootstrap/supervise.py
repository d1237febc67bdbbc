"""The supervisor's program. It imports little, since every container keeps it in memory."""

from __future__ import annotations

import os
import sys
from _socket import socket  # the module `socket` is slow to import

from adapters.encoding.light_json import loads
from adapters.linux.channel import Channel
from adapters.linux.files import close_all_but, open_directory, open_stdio
from adapters.linux.process import set_name, set_title
from adapters.supervisor import control_protocol
from adapters.supervisor.front import Front
from adapters.supervisor.order import CREATOR, SupervisorOrder
from adapters.supervisor.supervisor import Supervisor
from adapters.supervisor.withdrawal import Withdrawal
from bootstrap.wiring import SupervisorProcess
from domain.errors import RemoteprocError, host_fault, internal_error

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import NoReturn

_SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> None:
    """Take the creator's order, tell the creator that all is ready, supervise, exit."""
    os.set_inheritable(CREATOR, False)
    creator = Channel(socket(fileno=CREATOR))
    try:
        try:
            supervisor, front = _prepare(creator)
        except RemoteprocError as error:
            _give_up(creator, error)
        except OSError as error:
            _give_up(creator, host_fault("cannot prepare the supervisor", error))
        except Exception as error:  # a mistake in this program
            _give_up(creator, RemoteprocError(internal_error(error)))
        creator.send(control_protocol.encode(None))
    except ConnectionError:
        os._exit(1)  # the creator has died, or has given up
    front.serve(supervisor.run)


def _give_up(creator: Channel, error: RemoteprocError) -> NoReturn:
    creator.send(control_protocol.encode(error))
    os._exit(1)


def _prepare(creator: Channel) -> tuple[Supervisor, Front]:
    """Take the creator's order, and make the supervisor. Raises RemoteprocError, OSError."""
    # The creator's caller may have left descriptors open, and stdio closed.
    close_all_but(range(CREATOR + 1))
    open_stdio()
    message = creator.receive()
    if not message:
        os._exit(1)
    order = SupervisorOrder.from_json(loads(message))
    front = Front(Withdrawal(order.rootfs, proc=order.proc))
    if order.hierarchies:
        order = _enter_groups(order)
    if order.namespaces:
        order = _enter_namespaces(order, creator)
    return _make(order, creator, front), front


def _enter_groups(order: SupervisorOrder) -> SupervisorOrder:
    from adapters.isolation.group_moves import enter_groups

    warnings = enter_groups(order.hierarchies, order.cgroup)
    return order._replace(warnings=(*order.warnings, *warnings))


def _enter_namespaces(order: SupervisorOrder, creator: Channel) -> SupervisorOrder:
    """Enter the namespaces; for a pid or time namespace a child process continues here."""
    from adapters.isolation.namespaces import NamespaceSetup

    setup = NamespaceSetup(order.namespaces, (order.directory, sys.prefix, _SOURCES))
    setup.apply(creator, order.hostname)
    return order._replace(warnings=(*order.warnings, *setup.warnings))


def _make(order: SupervisorOrder, creator: Channel, front: Front) -> Supervisor:
    set_name(f"rproc:{order.id}")
    set_title(f"remoteproc-supervisor {order.id}")
    directory = open_directory(order.directory)
    os.umask(0o077)
    os.chdir("/")
    process = SupervisorProcess(order, creator, directory, front)
    for text in order.warnings:
        process.output().remark(text)
    supervisor = process.supervisor()
    process.rights().before_ready()
    return supervisor
