"""Reads process.args, which engines make of ENTRYPOINT and CMD: the firmware's path.

A pod's sandbox, which only holds the pod's namespaces, has no firmware.
"""

from __future__ import annotations

from adapters.oci.json_value import Value
from domain.annotations import PREFIX
from domain.errors import NO_SUCH_FILE, InvalidRequest
from domain.text import quoted

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The inits that engines mount and put before the command, if asked for one: Docker, Podman, Podman
# before 4, nerdctl. Firmware has no child processes, so they have no meaning here.
_INITS = ("/sbin/docker-init", "/run/podman-init", "/dev/init", "/sbin/tini")
_SHELLS = ("sh", "ash", "bash", "dash")

# Of containerd's CRI and of CRI-O: the annotation that tells sandboxes from containers, and that
# with the id of the pod's sandbox (containerd internal/cri/annotations, CRI-O pkg/annotations).
_MARKS = (
    ("io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"),
    ("io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"),
)
# The args of sandboxes without such annotations: Podman's (podman pod create), and those of
# Kubernetes' pause image under Docker.
_PAUSES = (["/catatonit", "-P"], ["/pause"])


def is_sandbox(container_id: str, process: Value, annotations: Mapping[str, str]) -> bool:
    """Tell whether the container is a sandbox, without firmware. Raises InvalidRequest.

    Podman copies annotations out of images, so the type alone proves nothing. But no image can
    have the id that the engine has given to the container: that of a sandbox is its pod's.
    """
    types = [
        (annotations[kind], annotations.get(pod)) for kind, pod in _MARKS if kind in annotations
    ]
    if types:
        return types == [("sandbox", container_id)]
    args = process.get("args")
    words = [item.text() for item in args.items()] if args else []
    return words in _PAUSES and not any(name.startswith(PREFIX) for name in annotations)


def read_entry(process: Value) -> str:
    """Return the firmware's path. Raises InvalidRequest unless it is the only word."""
    args = process.need("args", hint='add "args": ["hello.elf"]')
    items = args.items()
    words = [item.text() for item in items]
    if len(words) > 1 and words[0] in _INITS and words[1] == "--":
        del words[:2]
    if len(words) > 1:
        raise _too_many(words)
    if not words:
        raise args.fail("names no firmware", hint='add ENTRYPOINT ["hello.elf"] to the Dockerfile')
    if not words[0]:
        raise InvalidRequest(
            f"the image's ENTRYPOINT or CMD is an empty word: {NO_SUCH_FILE}",
            hint='write ENTRYPOINT ["hello.elf"] with the path of the firmware',
        )
    return words[0]


def _too_many(words: Sequence[str]) -> InvalidRequest:
    if words[0].rpartition("/")[2] in _SHELLS and words[1] == "-c":
        command = words[2] if len(words) > 2 else "hello.elf"
        name = next((word for word in command.split() if word != "exec"), "hello.elf")
        return InvalidRequest(
            f"the image's ENTRYPOINT or CMD is in the shell form ({_exec_form(words)}), and "
            "firmware has no shell",
            hint=f"write the exec form, ENTRYPOINT {_exec_form([name])}, and no CMD",
        )
    return InvalidRequest(
        f"firmware takes no arguments, but ENTRYPOINT and CMD are {_exec_form(words)}",
        hint=f"keep ENTRYPOINT {_exec_form(words[:1])} alone: no CMD, no words after the image",
    )


def _exec_form(words: Sequence[str]) -> str:
    return f"[{', '.join(map(quoted, words))}]"
