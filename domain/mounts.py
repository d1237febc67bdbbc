"""What a bundle mounts over the files of its image."""

from __future__ import annotations

from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Kubernetes' terminationMessagePath: the kubelet mounts a file there, and shows what is in it when
# the container has ended. Source: kubernetes pkg/kubelet/kuberuntime/labels.go.
_TERMINATION_PATH = "io.kubernetes.container.terminationMessagePath"
_DEFAULT_TERMINATION_PATH = "/dev/termination-log"

ALLOCATION_PLACE = "/run/remoteproc-runtime/processor"
"""Where the kubelet mounts the file that names the processor which it has given to a container."""


class BundleMount(NamedTuple):
    """One mount. `destination` is a path of the container.

    A bind mount shows the file or directory `source`, an absolute path of the host. Any other mount
    has no `source`: it shows a file system of the type `kind`. An overlay shows the directories
    `layers`, the uppermost first, with colons between them as overlayfs wants it.
    """

    destination: str
    source: str = ""
    kind: str = "bind"
    read_only: bool = False
    layers: str = ""


class ImageFiles(NamedTuple):
    """The files of an image, as its container finds them.

    `rootfs` is the image's root directory, `cwd` the container's path where relative ones begin.
    `mounts` lie over the files of the root, each over the earlier ones.
    """

    rootfs: str
    cwd: str = "/"
    mounts: Sequence[BundleMount] = ()


def termination_log(mounts: Sequence[BundleMount], annotations: Mapping[str, str]) -> str:
    """Return the host's file for the reason of the container's end; `` if there is none."""
    path = annotations.get(_TERMINATION_PATH, _DEFAULT_TERMINATION_PATH)
    return next((m.source for m in mounts[::-1] if m.destination == path and not m.read_only), "")


def allocation_file(mounts: Sequence[BundleMount]) -> str:
    """Return the host's file that is mounted at the place of an allocation; `` if there is none."""
    return next((m.source for m in mounts[::-1] if m.destination == ALLOCATION_PLACE), "")
