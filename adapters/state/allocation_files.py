"""The files that name processors, below the run directory."""

from __future__ import annotations

import os

from adapters.linux.directories import check_private, private_directory
from adapters.linux.files import open_directory, read_all, write_whole
from domain.errors import host_fault

_MAKES_IT = "start `remoteproc-runtime device-plugin`, which makes the file, on this node"


class AllocationFiles:
    """Implements domain.ports.Allocations: a file `processors/NAME`, whose content is the name."""

    def __init__(self, run_directory: str) -> None:
        self.directory = f"{run_directory}/processors"

    def publish(self, processor: str) -> str:
        private_directory(self.directory)
        path = f"{self.directory}/{processor}"
        try:
            if os.path.isdir(path):
                os.rmdir(path)  # containerd makes one of a mount's source that is missing
            elif read_all(path) == processor.encode():
                return path
        except FileNotFoundError:
            pass
        except OSError as error:
            raise host_fault(f"cannot use {path}", error) from error
        directory = open_directory(self.directory)
        try:
            write_whole(processor, processor.encode(), directory, mode=0o644)
        finally:
            os.close(directory)
        return path

    def named_by(self, source: str) -> str:
        directory, _, name = source.rpartition("/")
        # containerd resolves the links of a mount's source.
        if not name or directory not in (self.directory, os.path.realpath(self.directory)):
            return ""
        check_private(self.directory)
        try:
            return read_all(source).decode(errors="replace")
        except OSError as error:
            raise host_fault(
                f"cannot read {source}, which names the processor", error, _MAKES_IT
            ) from error
