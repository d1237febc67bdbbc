"""Opens an overlay of directories, as crun would mount it, and leaves no mount behind.

Podman gives overlays for `-v DIRECTORY:/fw:O` and `--mount type=image`.
"""

from __future__ import annotations

import os
import threading

from adapters.linux import libc

_PLACE = "/dev"  # any directory that is on every host; only the thread below sees it covered


def open_overlay(layers: str) -> int:
    """Return a descriptor (O_PATH) of the overlay's root. Raises OSError.

    `layers` is as overlayfs takes its `lowerdir`: the uppermost directory first. A thread mounts
    the overlay in a mount namespace of its own, which ends with the thread even if this process is
    killed. The descriptor alone keeps the overlay then.
    """
    found: list[int | OSError] = []
    thread = threading.Thread(target=lambda: found.append(_mount_and_open(layers)))
    thread.start()
    thread.join()
    (result,) = found
    if isinstance(result, OSError):
        raise result
    return result


def _mount_and_open(layers: str) -> int | OSError:
    try:
        libc.unshare(libc.CLONE_NEWNS)
        libc.mount("", "/", "", libc.MS_REC | libc.MS_PRIVATE)
        libc.mount("overlay", _PLACE, "overlay", libc.MS_RDONLY, f"lowerdir={layers}")
        return os.open(_PLACE, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        return error
