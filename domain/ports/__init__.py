"""What the domain needs from outside (driven ports): adapters implement these protocols.

Every method may raise `HostFault`; a docstring names the other errors. One contract test suite
per port (tests/contract) runs over all its adapters.
"""

from domain.ports.allocations import Allocations
from domain.ports.containers import ContainerStore, Draft, FirmwareSource, StatusRecord
from domain.ports.control_groups import ControlGroups
from domain.ports.leases import Lease, Leases
from domain.ports.processors import (
    Board,
    Claim,
    Console,
    DescribedBoard,
    Freezer,
    OpenArgs,
    Processor,
    SurveyedBoard,
)
from domain.ports.refusals import RefusedStarts
from domain.ports.supervisors import HookRunner, Supervisors, Warn

__all__ = [
    "Allocations",
    "Board",
    "Claim",
    "Console",
    "ContainerStore",
    "ControlGroups",
    "DescribedBoard",
    "Draft",
    "FirmwareSource",
    "Freezer",
    "HookRunner",
    "Lease",
    "Leases",
    "OpenArgs",
    "Processor",
    "RefusedStarts",
    "StatusRecord",
    "Supervisors",
    "SurveyedBoard",
    "Warn",
]
