"""What the domain needs from outside (driven ports): adapters implement these protocols.

Every method may raise `HostFault`; a docstring names the other errors. One contract test suite
per port (tests/contract) runs over all its adapters.
"""

from domain.ports.containers import ContainerStore, Draft, FirmwareSource, StatusRecord
from domain.ports.leases import Lease, Leases
from domain.ports.processors import Board, Claim, Console, Freezer, OpenArgs, Processor
from domain.ports.supervisors import HookRunner, Supervisors, Warn

__all__ = [
    "Board",
    "Claim",
    "Console",
    "ContainerStore",
    "Draft",
    "FirmwareSource",
    "Freezer",
    "HookRunner",
    "Lease",
    "Leases",
    "OpenArgs",
    "Processor",
    "StatusRecord",
    "Supervisors",
    "Warn",
]
