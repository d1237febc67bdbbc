"""Looks at what the kernel shows of processors, for `doctor`. Changes nothing."""

from __future__ import annotations

import os

from adapters.sysfs.attributes import UNKNOWN, Attributes
from adapters.sysfs.firmware_files import DIRECTORY
from adapters.sysfs.search_path import SearchPath
from domain.diagnosis.host import BoardFacts, ProcessorFacts
from domain.errors import HostFault, reason
from domain.processor import ProcessorInfo

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DEBUG = "sys/kernel/debug"


def survey(root: str, directory: str, processors: Sequence[ProcessorInfo]) -> BoardFacts:
    """Return what is seen of these processors under `root`, `` for the running kernel.

    `directory` is the configured one for firmware, `` for any.
    """
    search = SearchPath(root or "/", directory)
    free, where, problem = 0, "", ""
    try:
        where = search.choose().path
        found = os.statvfs(where)
        free = found.f_bavail * found.f_frsize
    except HostFault as error:
        problem = error.message
    except OSError as error:
        problem = f"{where}: {reason(error)}"
    release = os.uname().release
    return BoardFacts(
        kernel=release,
        options=_options(root, release),
        processors=tuple(_processor(root, each) for each in processors),
        debugfs_problem=_unreadable(f"{root}/{_DEBUG}/remoteproc", os.R_OK | os.X_OK),
        log_problem=_unreadable(f"{root}/dev/kmsg", os.R_OK),
        firmware_directory=where,
        firmware_problem=problem,
        free=free,
        leftovers=_leftovers(where, processors),
    )


def _processor(root: str, info: ProcessorInfo) -> ProcessorFacts:
    attributes = Attributes(info.path, require_sysfs=False)
    return ProcessorFacts(
        info.name,
        info.device,
        str(info.state),
        info.parent,
        read_only=info.state != UNKNOWN and attributes.read_only(),
        writable=os.access(f"{info.path}/state", os.W_OK, effective_ids=True),
        recovery=_value(attributes, "recovery"),
        coredump=_value(attributes, "coredump"),
        character_device=os.path.exists(f"{root}/dev/{info.device}"),
    )


def _value(attributes: Attributes, name: str) -> str:
    try:
        return attributes.printable(name)
    except HostFault:
        return "unreadable"


def _unreadable(path: str, mode: int) -> str:
    try:
        os.stat(path)
    except OSError as error:
        return f"{path}: {reason(error)}"
    return "" if os.access(path, mode, effective_ids=True) else f"this user may not read {path}"


def _leftovers(directory: str, processors: Sequence[ProcessorInfo]) -> tuple[str, ...]:
    """Return the names of published files whose processor is off or has gone."""
    busy = tuple(f"{each.device}-" for each in processors if not each.state.ended)
    try:
        names = sorted(os.listdir(f"{directory}/{DIRECTORY}")) if directory else []
    except OSError:
        return ()
    return tuple(f"{DIRECTORY}/{name}" for name in names if not name.startswith(busy or "\0"))


def _options(root: str, release: str) -> Mapping[str, str] | None:
    """Return the kernel's options that are set; None if no file tells them."""
    import gzip
    import zlib

    for path in (
        f"{root}/proc/config.gz",
        f"{root}/boot/config-{release}",
        f"{root}/lib/modules/{release}/config",
    ):
        try:
            with open(path, "rb") as file:
                data = file.read()
            text = gzip.decompress(data) if path.endswith(".gz") else data
        except (OSError, EOFError, zlib.error):
            continue
        lines = (line.partition("=") for line in text.decode(errors="replace").splitlines())
        return {
            name.removeprefix("CONFIG_"): value
            for name, equals, value in lines
            if equals and name.startswith("CONFIG_")
        }
    return None
