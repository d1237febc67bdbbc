"""How each part is made. Both wirings, by container and by hand, call these."""

from __future__ import annotations

import os
import sys
from binascii import crc32
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from adapters.isolation.hooks import LocalHooks
from adapters.state.leases import FileLeases
from adapters.supervisor.no_processor import NoProcessor
from bootstrap.settings import Settings, cache_of
from domain.annotations import ProcessorOptions

if TYPE_CHECKING:
    from domain.container import FirmwareContainer, Status
    from domain.ports import Board, Processor

# -I -S: nothing of the user's environment, and no search for packages, which it does not need.
_PYTHON = (sys.executable, "-I", "-S", "-X", "utf8", "-c")
_SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NSENTER = (
    "import sys; sys.path.append(sys.argv[1]); del sys.argv[1];"
    "import adapters.isolation.nsenter as n; n.main()"
)
_SUPERVISE = "import sys; sys.path.append(sys.argv[1]); import bootstrap.supervise as s; s.main()"


def supervisor_command() -> tuple[str, ...]:
    """Return the program and arguments of a supervisor; a container's id follows."""
    return (*_PYTHON, _SUPERVISE, _SOURCES)


def nsenter_command() -> tuple[str, ...]:
    """Return the program that runs another one in a process's namespaces; see LocalHooks."""
    return (*_PYTHON, _NSENTER, _SOURCES)


def make_hooks() -> LocalHooks:
    """Return what runs hooks."""
    return LocalHooks(_state, nsenter_command())


def _state(container: FirmwareContainer, status: Status) -> bytes:
    from adapters.oci import render

    return render.as_json(render.state(container, status)).encode()


def board_file(settings: Settings) -> str:
    """Return a name for the board that is the same for all who mean the same one."""
    if settings.backend == "sysfs":
        return os.path.realpath(settings.tree)
    named = "/" not in settings.board and not settings.board.endswith((".yaml", ".yml"))
    return settings.board if named else os.path.realpath(f"{settings.base}/{settings.board}")


def board_key(settings: Settings) -> str:
    """Return a short word for the board, fit for a file name."""
    return f"{settings.backend}-{crc32(os.fsencode(board_file(settings))):08x}"


def make_leases(settings: Settings) -> FileLeases:
    """Return who owns which processor of the configured board."""
    return FileLeases(f"{settings.run_directory}/owners", board_key(settings))


def make_board(settings: Settings) -> Board:
    """Return the configured board. Raises what reading a board file raises."""
    if settings.backend == "sim":
        from adapters.sim.board_file import load_board
        from adapters.sim.sim_board import SimBoard

        spec = load_board(settings.board, settings.base, cache_of("board"))
        return SimBoard(spec, f"{settings.run_directory}/boards")
    from adapters.sysfs.board import SysfsBoard
    from adapters.sysfs.policy import Policy

    policies = {name: Policy(**fields) for name, fields in settings.policies.items()}
    return SysfsBoard(settings.tree, settings.firmware_directory, policies)


def make_describe(
    settings: Settings, board: Callable[[], Board]
) -> Callable[[str, ProcessorOptions], Mapping[str, Any]]:
    """Return the function that says, in JSON's types, how a supervisor opens a processor."""

    def open_args(device: str, options: ProcessorOptions) -> Mapping[str, Any]:
        return {  # a sandbox has no device
            "backend": settings.backend,
            "owners": f"{settings.run_directory}/owners",
            "board": board_key(settings),
            "open": board().open_args(device, options) if device else {},
        }

    return open_args


def open_from_args(description: Mapping[str, Any]) -> tuple[Processor, FileLeases]:
    """Undo `open_args`, in the supervisor."""
    leases = FileLeases(description["owners"], description["board"])
    return _open(description["backend"], description["open"]), leases


def _open(backend: str, description: Mapping[str, Any]) -> Processor:
    if not description:
        return NoProcessor()
    if backend == "sim":
        from adapters.sim.processor import open_processor as open_sim

        return open_sim(description)
    from adapters.sysfs.processor import open_processor as open_sysfs

    return open_sysfs(description)
