"""The annotations that ask for a processor, all under the prefix `remoteproc.`."""

from __future__ import annotations

from domain.errors import InvalidRequest
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "remoteproc."
_NAME_OF = "remoteproc.name."
_CONTAINER_NAMES = ("io.kubernetes.cri.container-name", "io.kubernetes.container.name")
_HEXADECIMAL = frozenset("0123456789abcdef")
_TTY = "/dev/tty"


class ProcessorOptions(NamedTuple):
    """What a container asks for. The defaults are for a container without annotations.

    `name`: the processor, by its kernel name or as `remoteprocN`; `` for the only processor.
    `console`: where the runtime finds the firmware's output: `trace`, `rpmsg`, `none`, or a tty
    device. `recovery`: after a crash the `container` ends, or the `kernel` restarts the firmware.
    `coredump`: `enabled` saves a core dump of a crash. `digest`: the only firmware that may run,
    `sha256:...`. `attached`: what to do if a boot loader has started the processor: `take` it and
    load the container's firmware, `keep` the firmware that runs, or `` refuse to start.
    """

    name: str = ""
    console: str = "trace"
    recovery: str = "container"
    coredump: str = "disabled"
    digest: str = ""
    attached: str = ""


_FIELDS = {
    "remoteproc.name": "name",
    "remoteproc.console": "console",
    "remoteproc.recovery": "recovery",
    "remoteproc.coredump": "coredump",
    "remoteproc.firmware-digest": "digest",
    "remoteproc.attached": "attached",
}
_CHOICES = {
    "console": ("trace", "rpmsg", "none"),
    "recovery": ("container", "kernel"),
    "coredump": ("disabled", "enabled"),
    "attached": ("take", "keep"),
}


def known() -> tuple[str, ...]:
    """Return the annotations that this runtime understands."""
    return tuple(_FIELDS)


def read_annotations(annotations: Mapping[str, str]) -> ProcessorOptions:
    """Read the annotations under the prefix. Raises InvalidRequest on an unknown key or bad value.

    All containers of a pod have the pod's annotations, so `remoteproc.name.CONTAINER` names the
    processor of one container.
    """
    found = {}
    container = next((annotations[key] for key in _CONTAINER_NAMES if key in annotations), "")
    for key, value in annotations.items():
        if not key.startswith(PREFIX):
            continue
        if container and key.startswith(_NAME_OF):
            if key == _NAME_OF + container:
                _check(key, "name", value)
            continue
        if key not in _FIELDS:
            raise InvalidRequest(
                f"annotation {key!r} is unknown", hint=f"known are {', '.join(_FIELDS)}"
            )
        _check(key, _FIELDS[key], value)
        found[_FIELDS[key]] = value
    if container and _NAME_OF + container in annotations:
        found["name"] = annotations[_NAME_OF + container]
    return ProcessorOptions(**found)


def drop_remoteproc_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations that are not under the prefix."""
    return {key: value for key, value in annotations.items() if not key.startswith(PREFIX)}


def _check(key: str, field: str, value: str) -> None:
    choices = _CHOICES.get(field, ())
    if field == "name" and not value:
        problem, hint = "is empty", "name a processor, or leave it out where there is only one"
    elif field == "digest" and not _is_digest(value):
        problem, hint = f"{value!r} is no digest", "give sha256: and 64 hexadecimal digits"
    elif field == "console" and _is_tty(value):
        return
    elif choices and value not in choices:
        known = ", ".join(choices) + (", or a tty such as /dev/ttyS1" if field == "console" else "")
        problem, hint = f"{value!r} is unknown", f"it takes {known}"
    else:
        return
    raise InvalidRequest(f"annotation {key} {problem}", hint=hint)


def _is_digest(value: str) -> bool:
    digits = value.removeprefix("sha256:")
    return digits != value and len(digits) == 64 and _HEXADECIMAL.issuperset(digits)


def _is_tty(value: str) -> bool:
    name = value.removeprefix(_TTY).replace("_", "0")
    return value.startswith(_TTY) and name.isascii() and name.isalnum()
