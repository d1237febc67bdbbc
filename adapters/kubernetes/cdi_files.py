"""Files that tell containerd what a claim gives to its containers (Container Device Interface)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from adapters.linux.files import open_directory, read_all, write_whole
from domain.errors import InvalidRequest, host_fault
from domain.mounts import ALLOCATION_PLACE
from domain.offers import is_resource_name

_VERSION = "0.6.0"  # the oldest containerd with CDI, 1.7, takes it


class CdiFiles:
    """One file for each claim, below `directory`; its name has the claim's uid."""

    def __init__(self, directory: str, driver: str) -> None:
        self._directory = directory
        self._driver = driver

    def device_id(self, uid: str, device: str) -> str:
        """Return how containerd is asked for a device of a claim."""
        return f"{self._driver}/claim={uid}-{device}"

    def has(self, uid: str, files: Mapping[str, str]) -> bool:
        """Tell whether the claim is prepared in just this way; arguments as for `write`.

        Raises HostFault if that cannot be told: its containers may run.
        """
        path = f"{self._directory}/{self._name(uid)}"
        try:
            return read_all(path) == self._content(uid, files)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise host_fault(f"cannot read {path}", error) from error

    def write(self, uid: str, files: Mapping[str, str]) -> None:
        """Let each device of a claim mount a file that names the processor; `files` by device.

        Raises HostFault.
        """
        name = self._name(uid)
        try:
            os.makedirs(self._directory, 0o755, exist_ok=True)
            directory = open_directory(self._directory)
        except OSError as error:
            raise host_fault(f"cannot write {self._directory}/{name}", error) from error
        try:
            write_whole(name, self._content(uid, files), directory, mode=0o644)
        finally:
            os.close(directory)

    def remove(self, uid: str) -> None:
        """Forget a claim; no error if it is not known. Raises HostFault."""
        path = f"{self._directory}/{self._name(uid)}"
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise host_fault(f"cannot remove {path}", error) from error

    def _name(self, uid: str) -> str:
        if not is_resource_name(uid):
            raise InvalidRequest(f"{uid!r} is no uid of a claim")
        return f"{self._driver}-{uid}.json"

    def _content(self, uid: str, files: Mapping[str, str]) -> bytes:
        content = {
            "cdiVersion": _VERSION,
            "kind": f"{self._driver}/claim",
            "devices": [
                {"name": f"{uid}-{device}", "containerEdits": {"mounts": [_mount(file)]}}
                for device, file in files.items()
            ],
        }
        return json.dumps(content).encode()


def _mount(file: str) -> dict[str, object]:
    return {
        "hostPath": file,
        "containerPath": ALLOCATION_PLACE,
        "type": "bind",
        "options": ["ro", "rbind"],
    }
