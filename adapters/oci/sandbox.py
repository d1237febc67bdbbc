"""Recognises a pod's sandbox: the container that only holds the pod's namespaces."""

from __future__ import annotations

from adapters.oci.json_value import Value
from domain.annotations import PREFIX

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPE_ANNOTATIONS = ("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType")

# The args of sandboxes without such an annotation: Podman's (podman pod create), and those of
# Kubernetes' pause image.
_PAUSES = (["/catatonit", "-P"], ["/pause"])


def is_sandbox(process: Value, annotations: Mapping[str, str]) -> bool:
    """Tell whether the container is a sandbox, without firmware. Raises InvalidRequest."""
    if any(annotations.get(name) == "sandbox" for name in _TYPE_ANNOTATIONS):
        return True
    args = process.get("args")
    words = [item.text() for item in args.items()] if args else []
    return words in _PAUSES and not any(name.startswith(PREFIX) for name in annotations)
