"""The annotations that ask for a processor, all under the prefix `remoteproc.`."""

from __future__ import annotations

from domain.errors import InvalidRequest
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "remoteproc."
_CONTAINER_NAMES = ("io.kubernetes.cri.container-name", "io.kubernetes.container.name")
_CRI = "io.kubernetes.cri."
_POD = "io.kubernetes.pod."
# Sources: containerd internal/cri/annotations; the kubelet's labels, which CRI-O keeps; nerdctl
# pkg/labels. Docker and Podman tell a runtime no name.
_PEOPLES_NAMES = (
    (f"{_CRI}sandbox-namespace", f"{_CRI}sandbox-name", f"{_CRI}container-name"),
    (f"{_POD}namespace", f"{_POD}name", "io.kubernetes.container.name"),
    ("nerdctl/name",),
)
_HEXADECIMAL = frozenset("0123456789abcdef")
_TTY = "/dev/tty"


class ProcessorOptions(NamedTuple):
    """What a container asks for. The defaults are for a container without annotations.

    `name`: the processor, by its kernel name or as `remoteprocN`; `` for the only processor.
    `console`: where the runtime finds the firmware's output: `trace`, `rpmsg`, `none`, or a tty
    device. `recovery`: after a crash the `container` ends, or the `kernel` restarts the firmware.
    `coredump`: `enabled` saves a core dump of a crash. `digest`: the only firmware that may run,
    `sha256:...`. `attached`: what to do if a boot loader has started the processor: `take` it and
    load the container's firmware, `keep` the firmware that runs, `replace` the firmware that runs
    even if the kernel or a program has started it, `borrow` the processor from such firmware and
    start that again at the end, or `` refuse to start.
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
    "remoteproc.mcu": "name",  # as arm's runtime called it at first; Compose files still have it
}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "console": ("trace", "rpmsg", "none"),
    "recovery": ("container", "kernel"),
    "coredump": ("disabled", "enabled"),
    "attached": ("take", "keep", "replace", "borrow"),
}
"""By field of ProcessorOptions the values that it takes; `console` takes ttys, too."""


def known() -> tuple[str, ...]:
    """Return the annotations that this runtime understands."""
    return tuple(_FIELDS)


def annotation_of(field: str) -> str:
    """Return the annotation that sets this field of ProcessorOptions."""
    return next(key for key, name in _FIELDS.items() if name == field)


def read_annotations(annotations: Mapping[str, str]) -> ProcessorOptions:
    """Read the annotations under the prefix. Raises InvalidRequest on an unknown key or bad value.

    All containers of a pod have the pod's annotations. So each annotation has a form
    `remoteproc.KEY.CONTAINER`, which is for one container, and goes before `remoteproc.KEY`.
    """
    common: dict[str, str] = {}
    own: dict[str, str] = {}
    container = container_name(annotations)
    for key, general, named in _ours(annotations, container):
        value = annotations[key]
        if general not in _FIELDS:
            known = ", ".join(_FIELDS)
            more = "; for one container of a pod, a dot and its name follow" if container else ""
            raise InvalidRequest(f"annotation {key!r} is unknown", hint=f"known are {known}{more}")
        if named not in ("", container):
            continue
        field = _FIELDS[general]
        _check(key, field, value)
        found = own if named else common
        if found.setdefault(field, value) != value:
            raise InvalidRequest(
                f"annotation {key!r} names {value!r}, and another one {found[field]!r}",
                hint=f"keep {annotation_of(field)} alone",
            )
    return ProcessorOptions(**{**common, **own})


def _ours(annotations: Mapping[str, str], container: str) -> Iterator[tuple[str, str, str]]:
    """Yield each key under the prefix, the key for all containers, and the container that it names.

    `container` is this container's name; only one that is in a pod has other containers beside it.
    """
    for key in annotations:
        if key.startswith(PREFIX):
            yield (key, *(split_container(key) if container else (key, "")))


def split_container(key: str) -> tuple[str, str]:
    """Return the annotation without the container's name at its end, and that name or ``."""
    if key in _FIELDS:
        return key, ""
    general, _, container = key.rpartition(".")
    return (general, container) if general in _FIELDS else (key, "")


def names_processor(annotations: Mapping[str, str]) -> bool:
    """Tell whether an annotation names the processor of the container that has these."""
    container = container_name(annotations)
    return any(
        _FIELDS.get(general) == "name" and named in ("", container)
        for _, general, named in _ours(annotations, container)
    )


def how_to_name(annotations: Mapping[str, str]) -> str:
    """Return what to do if no annotation names a processor for the container that has these."""
    container = container_name(annotations)
    ours = list(_ours(annotations, container))
    others = [named for _, general, named in ours if _FIELDS.get(general) == "name" and named]
    if others:
        return f"this container is {container}; annotations name processors for {', '.join(others)}"
    if container and not ours:
        return (
            "request a processor's resource, or name one with the annotation remoteproc.name; if "
            'the pod has it, containerd keeps it back: set pod_annotations = ["remoteproc.*"] for '
            "this runtime in containerd's configuration"
        )
    return "name one with the annotation remoteproc.name"


def misspelt(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Return a warning for each annotation that seems to be meant for this container, and is not.

    A container does not know the names of the others in its pod. So only a name that differs from
    this one's in one character, or by two in the wrong order, is taken for a mistake; and not if
    the difference is a digit, as in `left-1` and `left-2`.
    """
    container = container_name(annotations)
    return tuple(
        f"annotation {key} is for a container {named}: this one is {container}"
        for key, general, named in _ours(annotations, container)
        if named and f"{general}.{container}" not in annotations and _mistyped(named, container)
    )


def _mistyped(word: str, meant: str) -> bool:
    while word and meant and word[0] == meant[0]:
        word, meant = word[1:], meant[1:]
    while word and meant and word[-1] == meant[-1]:
        word, meant = word[:-1], meant[:-1]
    swapped = len(word) == 2 and word == meant[::-1]
    one = max(len(word), len(meant)) == 1 and not f"{word}{meant}".isdigit()
    return swapped or one


def container_name(annotations: Mapping[str, str]) -> str:
    """Return the container's name in its pod; `` for a container that is in none."""
    return next((annotations[key] for key in _CONTAINER_NAMES if key in annotations), "")


def known_as(annotations: Mapping[str, str]) -> str:
    """Return what people call the container, as the engine's annotations tell; `` if they do not.

    In Kubernetes that is namespace/pod/container.
    """
    for names in _PEOPLES_NAMES:
        if all(annotations.get(name) for name in names):
            return "/".join(annotations[name] for name in names)
    return ""


def is_pods_name(name: str) -> bool:
    """Tell whether a name that `known_as` returned is that of a container in a pod."""
    return name.count("/") == 2


def drop_remoteproc_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations that are not under the prefix."""
    return {key: value for key, value in annotations.items() if not key.startswith(PREFIX)}


def _check(key: str, field: str, value: str) -> None:
    choices = CHOICES.get(field, ())
    if field == "name" and not value:
        problem, hint = "is empty", "name a processor, or leave it out where there is only one"
    elif field == "digest" and not is_digest(value):
        problem, hint = f"{value!r} is no digest", "give sha256: and 64 hexadecimal digits"
    elif field == "console" and is_tty(value):
        return
    elif choices and value not in choices:
        known = ", ".join(choices) + (", or a tty such as /dev/ttyS1" if field == "console" else "")
        problem, hint = f"{value!r} is unknown", f"it takes {known}"
    else:
        return
    raise InvalidRequest(f"annotation {key} {problem}", hint=hint)


def is_digest(value: str) -> bool:
    """Tell whether a text is a digest of firmware: `sha256:` and 64 hexadecimal digits."""
    digits = value.removeprefix("sha256:")
    return digits != value and len(digits) == 64 and _HEXADECIMAL.issuperset(digits)


def is_tty(value: str) -> bool:
    """Tell whether a text can name a tty device."""
    name = value.removeprefix(_TTY).replace("_", "0")
    return value.startswith(_TTY) and name.isascii() and name.isalnum()
