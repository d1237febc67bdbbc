"""A container's directory: which files are in it, and what they contain.

container.json  what was decided at creation; never changed
firmware        the private copy of the firmware
control         the supervisor's socket
started         the time at which the processor was started
paused          exists while the firmware is paused
exit.json       blank, then how the container ended: see adapters.state.exit_record
cgroups         the control groups that were made for the container
log, log.1      the latest output of the firmware, and the runtime's remarks. The time of `log` is
                that of the last output of the firmware, 0 for never
"""

from __future__ import annotations

import os

from adapters.encoding.light_json import dumps, loads
from adapters.linux.files import read_all, write_whole
from adapters.state.exit_record import read_exit
from domain.container import FirmwareContainer
from domain.errors import HostFault, host_fault
from domain.firmware import LOG_FILES, FirmwareImage
from domain.linux_config import IdMapping, LinuxConfig, Namespace, Rlimit

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Any

    from domain.hooks import Hook

VERSION = 1


def to_json(container: FirmwareContainer) -> dict[str, Any]:
    """Return what was decided at the container's creation, in JSON's types."""
    fields: dict[str, Any] = container._asdict()
    for later in ("started", "paused", "exit"):
        del fields[later]
    fields["annotations"] = dict(container.annotations)
    fields["hooks"] = {k: [h._asdict() for h in hooks] for k, hooks in container.hooks.items()}
    fields["linux_config"] = container.linux_config._asdict()
    fields["firmware"] = container.firmware._asdict() if container.firmware else None
    return fields


def from_json(fields: dict[str, Any]) -> FirmwareContainer:
    """Undo `to_json`."""
    firmware = fields["firmware"]
    return FirmwareContainer(
        **{
            **fields,
            "firmware": FirmwareImage(**firmware) if firmware else None,
            "hooks": {k: tuple(map(_hook, hooks)) for k, hooks in fields["hooks"].items()},
            "linux_config": _linux_config(fields["linux_config"]),
        }
    )


def _hook(fields: dict[str, Any]) -> Hook:
    from domain.hooks import Hook  # few containers have hooks

    return Hook(**{**fields, "args": tuple(fields["args"]), "env": tuple(fields["env"])})


def _linux_config(fields: dict[str, Any]) -> LinuxConfig:
    kinds = {"namespaces": Namespace, "users": IdMapping, "groups": IdMapping, "rlimits": Rlimit}
    lists = {name: tuple(kind(*each) for each in fields[name]) for name, kind in kinds.items()}
    return LinuxConfig(**{**fields, **lists})


def write_container(container: FirmwareContainer, directory: int) -> None:
    """Record a container at its creation."""
    text = dumps({"version": VERSION, **to_json(container)})
    write_whole("container.json", text.encode(), directory)


def read_container(container_id: str, directory: int) -> FirmwareContainer:
    """Return the container, with its start, pause and exit if any. Raises HostFault, OSError."""
    try:
        fields = loads(read_all("container.json", directory))
        version = fields.pop("version", None)
        if version == VERSION:
            container = from_json(fields)
            return container._replace(
                started=_time("started", directory),
                paused=_exists("paused", directory),
                exit=read_exit(directory),
            )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise HostFault(
            f"the state of container {container_id} is damaged", hint="remove its directory"
        ) from error
    raise HostFault(
        f"the state of container {container_id} has version {version}, not {VERSION}",
        hint="use the version of remoteproc-runtime that created it",
    )


def write_started(at: float, directory: int) -> None:
    """Record when the processor was started."""
    write_whole("started", repr(at).encode(), directory)


def remove_started(directory: int) -> None:
    """Undo `write_started`. Raises HostFault."""
    _remove("started", directory)


def write_paused(paused: bool, directory: int) -> None:
    """Record whether the firmware is paused. Raises HostFault."""
    if paused:
        write_whole("paused", b"", directory)
    else:
        _remove("paused", directory)


def _remove(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise host_fault(f"cannot remove {name}", error) from error


def last_output(directory: int) -> float | None:
    """Return when the firmware printed last, in seconds since the epoch; None for never."""
    try:
        return os.stat(LOG_FILES[-1], dir_fd=directory, follow_symlinks=False).st_mtime or None
    except FileNotFoundError:
        return None


def _time(name: str, directory: int) -> float | None:
    try:
        return float(read_all(name, directory))
    except FileNotFoundError:
        return None


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
