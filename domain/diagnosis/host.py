"""What was seen of a host, for the checks: facts without judgement."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping


SHIM = "containerd-shim-remoteproc-v1"
"""The program that daemons look for in their PATH."""


class ProcessorFacts(NamedTuple):
    """One processor. `recovery` and `coredump` are the kernel's words, `` for no such attribute.

    `read_only`: its driver lets nobody write its state. `writable`: this user may write it.
    `parent`: the device behind the processor, `` if unknown. `character_device`: there is a
    /dev/remoteprocN. `owner`: the container that has it, `` for none; `left_by`: a dead one.
    """

    name: str
    device: str
    state: str
    parent: str = ""
    read_only: bool = False
    writable: bool = True
    recovery: str = ""
    coredump: str = ""
    character_device: bool = False
    owner: str = ""
    left_by: str = ""


class EngineFacts(NamedTuple):
    """An engine that was found. `version` is its first line, `` if it does not answer.

    `needs_shim`: it runs containerd's shim, which is `shim`, `` for none in containerd's PATH;
    `shim_version` is what that program answers to -v.
    """

    name: str
    version: str = ""
    needs_shim: bool = False
    shim: str = ""
    shim_version: str = ""


class BoardFacts(NamedTuple):
    """The processors, and what the kernel offers for them; a `..._problem` is `` for none.

    `options`: the kernel's configuration, None if it cannot be read. `simulators`: the programs
    that simulated processors need and that are missing. `free`: bytes where firmware is published,
    `leftovers`: the files there of processors that are off.
    """

    backend: str = "sysfs"
    kernel: str = ""
    options: Mapping[str, str] | None = None
    processors: tuple[ProcessorFacts, ...] = ()
    problem: str = ""
    simulators: tuple[str, ...] = ()
    debugfs_problem: str = ""
    log_problem: str = ""
    firmware_directory: str = ""
    firmware_problem: str = ""
    free: int = 1 << 40
    leftovers: tuple[str, ...] = ()


class Host(NamedTuple):
    """A host; a `..._problem` says why something cannot be used, `` if it can.

    `version` is this runtime's own. `packages`: the versions of the Python packages, `` for one
    that is missing. `kubelet`: Kubernetes runs here; `containerd_knows_us`: its containerd has the
    runtime in its configuration.
    """

    board: BoardFacts = BoardFacts()
    version: str = ""
    configuration_problem: str = ""
    python: tuple[int, ...] = (3, 11)
    packages: Mapping[str, str] = {}
    bytecode_problem: str = ""
    run_directory: str = ""
    run_problem: str = ""
    engines: tuple[EngineFacts, ...] = ()
    kubelet: bool = False
    containerd_knows_us: bool = False
    user: str = "root"
    privileged: bool = True
    subordinate_ids: bool = True
    runtime_directory: bool = True
